/**
 * Search over the indexed dictionaries of a store. Indexes and texts are kept in memory until their files change, the least
 * recently used going first.
 *
 * Why these files and not a database's full-text index: DuckDB's extension has to be downloaded, SQLite's FTS5 has no package with
 * its binaries inside, and a word's postings in one Parquet file a dictionary cost a millisecond or two of DuckDB's time a file
 * for opening and planning alone. Dictionaries of one text share the places of a phrase, so these are found once.
 */
import { statSync } from 'node:fs';
import { LazyscopeError } from '../errors.ts';
import { pause } from '../pause.ts';
import type { DictionaryReference } from '../spec/manifests/comparison.ts';
import type { StoreLayout } from '../store/layout.ts';
import { readSafetensors } from '../formats/safetensors.ts';
import {
  findPhrase,
  type DictionaryMatches,
  type FoundPlaces,
  type SearchedDictionary,
} from './findPhrase.ts';
import { searchIndexOf, type SearchIndex } from './searchIndex.ts';
import { SearchText } from './searchText.ts';

const mostBytes = 640 << 20;

interface Kept {
  stamp: string;
  value: Promise<{ bytes: number }>;
  bytes: number;
}

export class SearchStore {
  readonly #store: StoreLayout;
  readonly #onDamaged: (message: string) => void;
  readonly #kept = new Map<string, Kept>();

  constructor(store: StoreLayout, onDamaged: (message: string) => void) {
    this.#store = store;
    this.#onDamaged = onDamaged;
  }

  /** Undefined where the dictionary has no search index, or one that can't be read, of which `onDamaged` is told. */
  async index({
    run,
    seed,
  }: DictionaryReference): Promise<{ index: SearchIndex; text: SearchText } | undefined> {
    const index = await this.#read(this.#store.searchIndex(run, seed), async (path) =>
      searchIndexOf(await readSafetensors(path)),
    );
    const text =
      index &&
      (await this.#read(this.#store.searchText(index.text), async (path) =>
        SearchText.of(await readSafetensors(path)),
      ));
    return index && text && { index, text };
  }

  /** Where a phrase stands in the examples of each dictionary; `missing` are those without a search index. */
  async find(
    phrase: string,
    dictionaries: readonly DictionaryReference[],
  ): Promise<{ found: DictionaryMatches[]; missing: DictionaryReference[] } & FoundPlaces> {
    const missing: DictionaryReference[] = [];
    const opened: SearchedDictionary[] = [];
    for (const dictionary of dictionaries) {
      const one = await this.index(dictionary);
      if (one) opened.push({ dictionary, ...one });
      else missing.push(dictionary);
    }
    const turn = () => pause(undefined, 'searching');
    return { missing, ...(await findPhrase(phrase, { opened, all: dictionaries.length === 1, turn })) };
  }

  async #read<Value extends { bytes: number }>(
    path: string,
    read: (path: string) => Promise<Value>,
  ): Promise<Value | undefined> {
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found) return undefined;
    const stamp = `${found.ino} ${found.mtimeMs} ${found.size}`;
    let kept = this.#kept.get(path);
    this.#kept.delete(path);
    if (kept?.stamp !== stamp) kept = { stamp, value: read(path), bytes: found.size };
    this.#kept.set(path, kept);
    let bytes = 0;
    for (const each of this.#kept.values()) bytes += each.bytes;
    for (const [oldest, each] of this.#kept) {
      if (bytes <= mostBytes || oldest === path) break;
      this.#kept.delete(oldest);
      bytes -= each.bytes;
    }
    try {
      // A path is only ever read as one kind of file.
      const value = (await kept.value) as Value;
      kept.bytes = value.bytes;
      return value;
    } catch (error) {
      this.#kept.delete(path);
      if (!(error instanceof LazyscopeError)) throw error;
      if (error.code !== 'not_found') this.#onDamaged(error.message);
      return undefined;
    }
  }
}
