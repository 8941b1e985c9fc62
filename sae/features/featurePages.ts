/**
 * runs/<run>/seed-<n>/pages.safetensors: features.parquet and examples.parquet once more, in the form in which the explorer reads them. A question about
 * one latent costs DuckDB some ten milliseconds of processor time, because a whole group of rows is decoded for it; from here it costs one
 * read and the inflating of a few kilobytes. Where the file is missing or of other tables, readers take the Parquet files.
 *
 * - `blocks` U8 and `start` F64 [latents + 1]: bytes start[i] … start[i + 1] − 1 of the blocks are latent i's row of featureDetailTable and its rows
 *   of exampleTable (see packedRows.ts), examples with the band `top` first, then `quantile-4` to `quantile-0`, each ordered by rank.
 * - `columns.<name>` for each column of listedFeatureTable, of lists `columns.<name>.values` and `columns.<name>.offsets`: the column as
 *   readColumns gives it.
 *
 * The metadata hold the sizes of the Parquet files, by which a file that was left behind by an earlier index is told.
 */
import { existsSync, statSync } from 'node:fs';
import { LazyscopeError } from '../errors.ts';
import {
  readSafetensors,
  writeSafetensors,
  type SafetensorsDtype,
  type SafetensorsFile,
  type TensorToWrite,
} from '../formats/safetensors.ts';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import { exampleTable } from '../spec/tables/examples.ts';
import { featureDetailTable, listedFeatureTable } from '../spec/tables/features.ts';
import type { RowOf } from '../spec/tables/table.ts';
import type { StoreLayout } from '../store/layout.ts';
import { PackedRows, packRows } from '../store/packedRows.ts';
import type { ColumnsOf } from '../store/columnRows.ts';
import { bytesOf, queryColumns, readColumns } from '../store/readColumns.ts';
import { removeStored } from '../store/remote/bringIn.ts';
import { columnList, storedTable } from '../store/tableSql.ts';
import type { Column } from '../store/vectorColumns.ts';

const version = '1';
const latentsAtOnce = 1024;

/** The order of a latent's examples, after ORDER BY. */
export const exampleOrder = `band <> 'top', band DESC, rank`;

export interface FeaturePagesOptions {
  store: StoreLayout;
  run: string;
  seed: number;
  report?: Report;
  signal?: AbortSignal | undefined;
}

/** Removes the file, before the tables that it is made of are written anew. */
export async function removeFeaturePages(store: StoreLayout, run: string, seed: number): Promise<void> {
  await removeStored(store.featurePages(run, seed));
}

/** Writes the file of an indexed dictionary. Throws as `readColumns` does. */
export async function writeFeaturePages(options: FeaturePagesOptions): Promise<void> {
  const { store, run, seed, report = silent, signal } = options;
  const path = store.features(run, seed);
  const sizes = sizesOf(store, run, seed);
  const { columns, rows: latents } = await readColumns(path, listedFeatureTable);
  const { columns: details } = await readColumns(path, featureDetailTable);
  const start = new Float64Array(latents + 1);
  const blocks: Uint8Array[] = [];
  for (let from = 0; from < latents; from += latentsAtOnce) {
    const to = Math.min(from + latentsAtOnce, latents);
    const examples =
      sizes.examples === '0'
        ? undefined
        : await queryColumns(
            exampleTable,
            `SELECT ${columnList(exampleTable)} FROM ${storedTable(exampleTable)} WHERE latent >= $from AND latent < $to ORDER BY latent, ${exampleOrder}`,
            { path: store.examples(run, seed), from, to },
          );
    let row = 0;
    for (let latent = from; latent < to; latent++) {
      const first = row;
      while (examples?.latent[row] === latent) row++;
      const block = packRows([
        { table: featureDetailTable, columns: details, from: latent, to: latent + 1 },
        { table: exampleTable, columns: examples ?? noExamples, from: first, to: row },
      ]);
      blocks.push(block);
      start[latent + 1] = start[latent] + block.length;
    }
    report({ stage: 'index: pages', done: to, total: latents, unit: 'latents' });
    await pause(signal, 'indexing');
  }
  const tensors = {
    start: tensor(start),
    ...tensorsOf(columns),
    blocks: tensor(new Uint8Array(Buffer.concat(blocks))),
  };
  await writeSafetensors(store.featurePages(run, seed), tensors, {
    version,
    latents: String(latents),
    ...sizes,
  });
}

function tensor<Data extends TensorToWrite['data']>(data: Data): { shape: [number]; data: Data } {
  return { shape: [data.length], data };
}

function tensorsOf(columns: Readonly<Record<string, Column>>): Record<string, TensorToWrite> {
  const tensors: Record<string, TensorToWrite> = {};
  for (const [name, column] of Object.entries(columns)) {
    if (Array.isArray(column)) throw new TypeError(`column ${name} holds texts`);
    if ('offsets' in column) {
      tensors[`columns.${name}.values`] = tensor(column.values);
      tensors[`columns.${name}.offsets`] = tensor(column.offsets);
    } else tensors[`columns.${name}`] = tensor(column);
  }
  return tensors;
}

const emptyList = { values: new Int32Array(0), offsets: new Int32Array(1) };
const noExamples: Record<keyof typeof exampleTable, Column> = {
  latent: new Float64Array(0),
  band: [],
  rank: new Float64Array(0),
  activation: new Float64Array(0),
  context: new Float64Array(0),
  position: new Float64Array(0),
  start: new Float64Array(0),
  tokens: emptyList,
  activations: emptyList,
};

/** Bytes of the Parquet files, 0 for one that isn't there. */
function sizesOf(store: StoreLayout, run: string, seed: number): { features: string; examples: string } {
  const size = (path: string) => String(statSync(path, { throwIfNoEntry: false })?.size ?? 0);
  return { features: size(store.features(run, seed)), examples: size(store.examples(run, seed)) };
}

type Listed = typeof listedFeatureTable;

/** What one latent's page shows of the two tables. */
export interface StoredPage {
  detail: RowOf<typeof featureDetailTable>;
  /** In the order of `exampleOrder`. */
  examples: RowOf<typeof exampleTable>[];
}

/** The file of a dictionary, of which each page is read when it is asked for. */
export class FeaturePages {
  readonly latents: number;
  readonly #file: SafetensorsFile;
  readonly #start: Float64Array;

  private constructor(file: SafetensorsFile, latents: number, start: Float64Array) {
    this.#file = file;
    this.latents = latents;
    this.#start = start;
  }

  /**
   * Undefined where there is no such file, or one of other tables than are there now, or one by another version's rules. Throws 'corrupt' for
   * a damaged one.
   */
  static async open(
    store: StoreLayout,
    { run, seed }: { run: string; seed: number },
  ): Promise<FeaturePages | undefined> {
    const path = store.featurePages(run, seed);
    if (!existsSync(path)) return undefined;
    const file = await readSafetensors(path);
    const { features, examples } = sizesOf(store, run, seed);
    const { metadata } = file;
    if (metadata['version'] !== version) return undefined;
    if (metadata['features'] !== features || metadata['examples'] !== examples) return undefined;
    const latents = Number(metadata['latents']);
    const start = file.float64('start');
    const [bytes] = file.shape('blocks');
    const whole = start.length === latents + 1 && start[0] === 0 && start[latents] === bytes && rises(start);
    if (!whole) throw damaged(path);
    return new FeaturePages(file, latents, start);
  }

  /** Undefined for a latent that the dictionary hasn't. Throws 'corrupt' for a damaged file. */
  page(latent: number): StoredPage | undefined {
    if (latent >= this.latents) return undefined;
    const { path } = this.#file;
    const [from, to] = [this.#start[latent], this.#start[latent + 1]];
    const packed = new PackedRows(new Uint8Array(this.#file.bytes('blocks', from, to - from)), (cause) =>
      damaged(path, cause),
    );
    const [detail] = packed.rows(featureDetailTable);
    const examples = packed.rows(exampleTable);
    // A file that took another's place since this one was opened has other blocks where this one has them.
    if (detail?.latent !== latent || examples.some((example) => example.latent !== latent))
      throw damaged(path);
    return { detail, examples };
  }

  /** As readColumns gives them. Throws 'corrupt' for a damaged file. */
  columns(): { columns: ColumnsOf<Listed>; bytes: number } {
    const columns: Record<string, Column> = {};
    for (const [name, { type }] of Object.entries(listedFeatureTable))
      columns[name] = this.#column(`columns.${name}`, type);
    // Each column was read by the type that the description gives it.
    return { columns: columns as ColumnsOf<Listed>, bytes: bytesOf(columns) };
  }

  #column(name: string, type: Listed[keyof Listed]['type']): Column {
    if (type === 'INTEGER[]') {
      const narrow = this.#stored(`${name}.values`, 'U16');
      const values = narrow ? new Uint16Array(narrow) : new Int32Array(this.#bytes(`${name}.values`, 'I32'));
      const offsets = new Int32Array(this.#bytes(`${name}.offsets`, 'I32'));
      if (offsets.length !== this.latents + 1 || offsets.at(-1) !== values.length || !rises(offsets))
        throw damaged(this.#file.path);
      return { values, offsets };
    }
    const values =
      type === 'BOOLEAN'
        ? new Uint8Array(this.#bytes(name, 'U8'))
        : new Float64Array(this.#bytes(name, 'F64'));
    const isLatent = name === 'columns.latent';
    if (
      values.length !== this.latents ||
      !values.every((value, row) => (isLatent ? value === row : Number.isFinite(value)))
    )
      throw damaged(this.#file.path);
    return values;
  }

  #bytes(name: string, dtype: SafetensorsDtype): ArrayBuffer {
    const bytes = this.#stored(name, dtype);
    if (!bytes) throw damaged(this.#file.path);
    return bytes;
  }

  /** Undefined for a tensor that isn't there or is of another type. */
  #stored(name: string, dtype: SafetensorsDtype): ArrayBuffer | undefined {
    const found = this.#file.has(name) && this.#file.dtype(name) === dtype;
    return found ? this.#file.bytes(name) : undefined;
  }
}

/** Whether places begin at 0, are whole and never go back. */
function rises(offsets: Float64Array | Int32Array): boolean {
  for (let i = 1; i < offsets.length; i++)
    if (!(offsets[i] >= offsets[i - 1] && Number.isInteger(offsets[i]))) return false;
  return offsets[0] === 0;
}

function damaged(path: string, cause?: unknown): LazyscopeError {
  return new LazyscopeError(
    'corrupt',
    `'${path}' can't be read: make it again with 'lazyscope index RUN --search-only', or delete it.`,
    { cause },
  );
}
