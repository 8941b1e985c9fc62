/**
 * runs/<name>/metrics.arrow: one row a seed every `logEvery` steps, appended while the run goes on. The file is an
 * Arrow IPC stream without its end mark: a schema message, then a record batch an append. Each append is one
 * write, so a crash can only cut the last batch short, and a reader stops at the last whole one.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { Field, Float64, Int32, makeData, RecordBatch, Schema, Struct, Table, tableToIPC } from 'apache-arrow'; // prettier-ignore
import { LazyscopeError } from '../errors.ts';
import { openFileHandle } from '../formats/openFileHandle.ts';
import { readArrowStream, type ArrowSlice, type ColumnTypes } from '../formats/arrowStream.ts';
import { writeAll } from '../store/atomicWrite.ts';
import { explainWriteError } from '../store/explainWriteError.ts';
import { bringIn } from '../store/remote/bringIn.ts';

export interface MetricsRow {
  step: number;
  /** Seen so far by each seed. */
  tokens: number;
  seed: number;
  loss: number;
  /** Mean of ‖x − x̂‖² over the batch, in the scaled units of training. */
  mse: number;
  /** Of the batch. */
  fvu: number;
  l0: number;
  deadFraction: number;
  learningRate: number;
  sparsityCoefficient: number;
  /** Over all seeds together, since the row before. */
  tokensPerSecond: number;
}
export const metricsColumns = [
  'step',
  'tokens',
  'seed',
  'loss',
  'mse',
  'fvu',
  'l0',
  'deadFraction',
  'learningRate',
  'sparsityCoefficient',
  'tokensPerSecond',
] as const satisfies readonly (keyof MetricsRow)[];

const integers: ReadonlySet<string> = new Set(['step', 'seed']);
const typeOf = (column: string) => (integers.has(column) ? new Int32() : new Float64());
const columnTypes = Object.fromEntries(
  metricsColumns.map((column) => [column, integers.has(column) ? 'int32' : 'float64']),
) as ColumnTypes<(typeof metricsColumns)[number]>;
const schema = new Schema(metricsColumns.map((column) => new Field(column, typeOf(column), false)));
const endMark = 8;
const head = withoutEndMark(new Table(schema));

function withoutEndMark(table: Table): Uint8Array {
  const bytes = tableToIPC(table, 'stream');
  return bytes.subarray(0, bytes.length - endMark);
}

/** One record batch message. */
function batchMessage(rows: readonly MetricsRow[]): Uint8Array {
  const children = metricsColumns.map((column) => {
    const values = rows.map((row) => row[column]);
    return integers.has(column)
      ? makeData({ type: new Int32(), data: Int32Array.from(values) })
      : makeData({ type: new Float64(), data: Float64Array.from(values) });
  });
  const data = makeData({ type: new Struct(schema.fields), length: rows.length, nullCount: 0, children });
  return withoutEndMark(new Table(new RecordBatch(schema, data))).subarray(head.length);
}

export class MetricsWriter {
  readonly path: string;
  #file: FileHandle;
  #bytes: number;

  private constructor(path: string, file: FileHandle, bytes: number) {
    this.path = path;
    this.#file = file;
    this.#bytes = bytes;
  }

  /** Goes on after the first `bytes` bytes (a checkpoint's) and forgets what came later; 0 begins the file. */
  static async open(path: string, bytes: number): Promise<MetricsWriter> {
    let file: FileHandle | undefined;
    // What comes before is read by whoever resumes on another machine.
    if (bytes > 0) await bringIn(path);
    try {
      file = await open(path, bytes === 0 ? 'w' : 'r+');
      const writer = new MetricsWriter(path, file, bytes);
      if (bytes === 0) {
        await writer.#append(head);
        return writer;
      }
      const { size } = await file.stat();
      if (size < bytes)
        throw new LazyscopeError(
          'corrupt',
          `'${path}' has ${size} bytes where the checkpoint saw ${bytes}: train the run again under another name.`,
        );
      await file.truncate(bytes);
      return writer;
    } catch (error) {
      await file?.close();
      throw explainWriteError(error, path);
    }
  }

  /** Length of the file so far; everything up to here is whole. */
  get bytes(): number {
    return this.#bytes;
  }

  async append(rows: readonly MetricsRow[]): Promise<void> {
    await this.#append(batchMessage(rows));
  }

  async #append(message: Uint8Array): Promise<void> {
    try {
      const { bytesWritten } = await this.#file.write(message, 0, message.length, this.#bytes);
      // A nearly full disk takes a part; writing the rest says what is wrong.
      if (bytesWritten < message.length) await writeAll(this.#file, message.subarray(bytesWritten));
    } catch (error) {
      // Nothing half-written: the file ends where it ended before.
      await this.#file.truncate(this.#bytes).catch(() => {});
      throw explainWriteError(error, this.path);
    }
    this.#bytes += message.length;
  }

  /** Makes what was appended durable, before a checkpoint relies on it. */
  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** The rows of a run, finished or not; a batch cut short by a crash is left out. Throws `not_found` or `corrupt`. */
export async function readMetrics(path: string): Promise<MetricsRow[]> {
  const rows: MetricsRow[] = [];
  for await (const slice of metricsSlices(path))
    for (let i = 0; i < slice.rows; i++) rows.push(metricsRow(slice, i));
  return rows;
}

export type MetricsSlice = ArrowSlice<(typeof metricsColumns)[number]>;

/** Slices of the rows from byte `from` on, which is 0 or the end of another slice. */
export async function* metricsSlices(path: string, from = 0): AsyncGenerator<MetricsSlice> {
  const { file } = await openFileHandle(path, 'the run has no metrics yet');
  try {
    // A stream cut short in its schema has no rows, but then it must begin as ours do.
    const begins = Buffer.alloc(head.length);
    const { bytesRead } = await file.read(begins, 0, begins.length, 0);
    if (
      bytesRead < begins.length &&
      Buffer.compare(begins.subarray(0, bytesRead), head.subarray(0, bytesRead)) !== 0
    )
      throw new LazyscopeError('corrupt', `'${path}' is not a table of metrics: train the run again.`);
  } finally {
    await file.close();
  }
  yield* readArrowStream(path, columnTypes, from);
}

export function metricsRow(slice: MetricsSlice, i: number): MetricsRow {
  return {
    step: slice.step[i],
    tokens: slice.tokens[i],
    seed: slice.seed[i],
    loss: slice.loss[i],
    mse: slice.mse[i],
    fvu: slice.fvu[i],
    l0: slice.l0[i],
    deadFraction: slice.deadFraction[i],
    learningRate: slice.learningRate[i],
    sparsityCoefficient: slice.sparsityCoefficient[i],
    tokensPerSecond: slice.tokensPerSecond[i],
  };
}
