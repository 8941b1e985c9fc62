/**
 * Names and notes of features. Those that people write, import or carry over are in the database, of which this server is the only
 * writer, so that they are read once and kept in memory. Those that `lazyscope label` makes are files of the store (automaticLabels.ts). Where a
 * latent has several, the person's is shown, then the endpoint's, then that found in the data.
 */
import { z } from 'zod';
import type { LabelSource } from '../../sae/spec/labelSources.ts';
import type { Label } from '../contract/label.ts';
import type { LabelListInput } from '../contract/labels.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import type { LabelDatabase, Statement } from '../database.ts';
import type { AutomaticLabels } from './automaticLabels.ts';
import { DictionaryLabels } from './dictionaryLabels.ts';

const whole = z.number();
const rowSchema = z.object({
  run: z.string(),
  seed: whole,
  latent: whole,
  label: z.string(),
  note: z.string(),
  updatedAt: z.string(),
  source: z.string().nullable(),
});

const sourceSchema: z.ZodType<LabelSource> = z.union([
  z.object({ kind: z.literal('hand') }),
  z.object({ kind: z.literal('data') }),
  z.object({ kind: z.literal('endpoint'), model: z.string() }),
  z.object({ kind: z.literal('carried'), run: z.string(), seed: whole, latent: whole, cosine: whole }),
  z.object({ kind: z.literal('imported'), was: z.string().nullable() }),
]);

/** What is written of a label; an empty one with an empty note removes the entry. */
export interface LabelEntry extends DictionaryReference {
  latent: number;
  label: string;
  note: string;
  source: LabelSource;
}

/** Rows in one statement. */
const rowsAtOnce = 400;

export class LabelBook {
  /** Undefined where another process has the database open: automatic labels alone are read then. */
  readonly #database: LabelDatabase | undefined;
  #generation = 0;
  readonly #automatic: AutomaticLabels;
  #written: Promise<Map<string, Map<number, Label>>> | undefined;
  readonly #merged = new Map<string, { from: readonly unknown[]; labels: DictionaryLabels }>();

  constructor(database: LabelDatabase | undefined, automatic: AutomaticLabels) {
    this.#database = database;
    this.#automatic = automatic;
  }

  /** Stores entries, all or none. Returns what stands there now, in the same order, null for removed ones. */
  async write(entries: readonly LabelEntry[]): Promise<(Label | null)[]> {
    const updatedAt = new Date().toISOString();
    const kept = entries.filter(({ label, note }) => label !== '' || note !== '');
    const removed = entries.filter(({ label, note }) => label === '' && note === '');
    await this.#database?.transaction([
      ...removed.flatMap(({ run, seed, latent }) =>
        ['labels', '"labelOrigins"'].map((table) => ({
          sql: `DELETE FROM ${table} WHERE run = $run AND seed = $seed AND latent = $latent`,
          params: { run, seed, latent },
        })),
      ),
      ...insertions('labels', kept, (one) => [one.label, one.note, updatedAt]),
      ...insertions('"labelOrigins"', kept, (one) => [updatedAt, JSON.stringify(one.source)]),
    ]);
    const written = await this.#read();
    const touched = new Set(entries.map(keyOf));
    // Maps are replaced rather than changed: whoever reads one goes on reading it.
    for (const key of touched) written.set(key, new Map(written.get(key)));
    return entries.map(({ run, seed, latent, label, note, source }) => {
      const own = written.get(keyOf({ run, seed }));
      if (label === '' && note === '') {
        own?.delete(latent);
        return null;
      }
      const row: Label = {
        run, seed, latent, label, note, updatedAt, source, detection: null, fuzzing: null,
      }; // prettier-ignore
      own?.set(latent, row);
      return row;
    });
  }

  /** Entries that people wrote, imported or carried, by run, seed and latent. */
  async list({ run, seed }: LabelListInput): Promise<Label[]> {
    const written = await this.#read();
    return [...written.values()]
      .flatMap((labels) => [...labels.values()])
      .filter((one) => (run ?? one.run) === one.run && (seed ?? one.seed) === one.seed)
      .sort((a, b) => compareText(a.run, b.run) || a.seed - b.seed || a.latent - b.latent);
  }

  /** What a person wrote of one latent. */
  async written({ run, seed, latent }: DictionaryReference & { latent: number }): Promise<Label | undefined> {
    return (await this.#read()).get(keyOf({ run, seed }))?.get(latent);
  }

  /** The automatic labels of one latent, best method first, whether or not they are shown. */
  async automatic({ latent, ...dictionary }: DictionaryReference & { latent: number }): Promise<Label[]> {
    const found = await this.#automatic.of(dictionary);
    return found.flatMap((labels) => labels.get(latent) ?? []);
  }

  /** The labels of a dictionary as they are shown. */
  async of(dictionary: DictionaryReference): Promise<DictionaryLabels> {
    const key = keyOf(dictionary);
    const own = (await this.#read()).get(key);
    const automatic = await this.#automatic.of(dictionary);
    const from = [own, ...automatic];
    const known = this.#merged.get(key);
    if (known && known.from.length === from.length && known.from.every((each, i) => each === from[i]))
      return known.labels;
    const labels = new DictionaryLabels(own, automatic);
    this.#merged.set(key, { from, labels });
    return labels;
  }

  /** Dictionaries with labels that people wrote. */
  async dictionaries(): Promise<DictionaryReference[]> {
    const written = await this.#read();
    return [...written.values()].flatMap((labels) => {
      const [first] = labels.values();
      return first ? [{ run: first.run, seed: first.seed }] : [];
    });
  }

  #read(): Promise<Map<string, Map<number, Label>>> {
    const generation = this.#database?.generation ?? 0;
    if (this.#generation !== generation) this.#written = undefined;
    this.#generation = generation;
    this.#written ??= this.#readAll().catch((error: unknown) => {
      this.#written = undefined;
      throw error;
    });
    return this.#written;
  }

  async #readAll(): Promise<Map<string, Map<number, Label>>> {
    const rows = await this.#database?.query(
      `SELECT l.*, o.source FROM labels l LEFT JOIN "labelOrigins" o
         ON o.run = l.run AND o.seed = l.seed AND o.latent = l.latent AND o."updatedAt" = l."updatedAt"
       ORDER BY l.run, l.seed, l.latent`,
    );
    const written = new Map<string, Map<number, Label>>();
    for (const row of rows ?? []) {
      const { source, ...label } = rowSchema.parse(row);
      const key = keyOf(label);
      const own = written.get(key) ?? new Map<number, Label>();
      own.set(label.latent, { ...label, source: readSource(source), detection: null, fuzzing: null });
      written.set(key, own);
    }
    return written;
  }
}

/** A label without an origin was written by hand: by a version that knew no others, or changed by one. */
function readSource(text: string | null): LabelSource {
  return text === null ? { kind: 'hand' } : sourceSchema.parse(JSON.parse(text));
}

/** Statements that insert or replace one row an entry: run, seed and latent, then the other columns. */
function insertions(
  table: string,
  entries: readonly LabelEntry[],
  others: (entry: LabelEntry) => readonly string[],
): Statement[] {
  const statements: Statement[] = [];
  for (let from = 0; from < entries.length; from += rowsAtOnce) {
    const params: Statement['params'] = {};
    const rows = entries.slice(from, from + rowsAtOnce).map((entry, row) => {
      const cells = [entry.run, entry.seed, entry.latent, ...others(entry)];
      const names = cells.map((cell, column) => {
        params[`r${row}c${column}`] = cell;
        return `$r${row}c${column}`;
      });
      return `(${names.join(', ')})`;
    });
    statements.push({ sql: `INSERT OR REPLACE INTO ${table} VALUES ${rows.join(', ')}`, params });
  }
  return statements;
}

const keyOf = ({ run, seed }: DictionaryReference) => `${run}/${seed}`;
const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
