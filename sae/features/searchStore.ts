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
import { matchedExample, matchExamples, type ExampleMatches, type MatchedExample } from './matchExamples.ts';
import { readSearchIndex, type SearchIndex } from './searchIndex.ts';
import { SearchText, type PhrasePlaces } from './searchText.ts';

const mostBytes = 640 << 20;
/**
 * Places of a phrase that are looked at, times dictionaries: of a phrase with more, places spread evenly over the text. A search
 * of one dictionary looks at them all.
 */
const mostLookedAt = 40_000;
/** Milliseconds of looking through dictionaries after which other questions have their turn. */
const longestTurn = 5;

interface Kept {
  stamp: string;
  value: Promise<{ bytes: number }>;
  bytes: number;
}

/** What a dictionary's search index knows of a question. */
export interface DictionaryMatches {
  dictionary: DictionaryReference;
  index: SearchIndex;
  text: SearchText;
  phrase: PhrasePlaces;
  matches: ExampleMatches;
}

export interface FoundPlaces {
  /** Where the phrase stands in the texts searched. */
  places: number;
  /** How many of these places were looked at. */
  lookedAt: number;
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
    const index = await this.#read(this.#store.searchIndex(run, seed), readSearchIndex);
    const text =
      index && (await this.#read(this.#store.searchText(index.text), (path) => SearchText.read(path)));
    return index && text && { index, text };
  }

  /** Where a phrase stands in the examples of each dictionary; `missing` are those without a search index. */
  async find(
    phrase: string,
    dictionaries: readonly DictionaryReference[],
  ): Promise<{ found: DictionaryMatches[]; missing: DictionaryReference[] } & FoundPlaces> {
    const missing: DictionaryReference[] = [];
    const opened: { dictionary: DictionaryReference; index: SearchIndex; text: SearchText }[] = [];
    for (const dictionary of dictionaries) {
      const one = await this.index(dictionary);
      if (one) opened.push({ dictionary, ...one });
      else missing.push(dictionary);
    }
    const most = dictionaries.length === 1 ? Infinity : Math.ceil(mostLookedAt / Math.max(1, opened.length));
    const phrases = new Map<SearchText, { all: number; phrase: PhrasePlaces }>();
    for (const { text } of opened)
      if (!phrases.has(text)) {
        const all = text.find(phrase);
        phrases.set(text, { all: all.places.length, phrase: spread(all, most) });
      }
    const found: DictionaryMatches[] = [];
    let since = performance.now();
    for (const { dictionary, index, text } of opened) {
      const phrase = phrases.get(text)?.phrase ?? { places: new Int32Array(0), words: 0 };
      found.push({ dictionary, index, text, phrase, matches: matchExamples(index, text, phrase) });
      if (performance.now() - since < longestTurn) continue;
      await pause(undefined, 'searching');
      since = performance.now();
    }
    const sum = (of: (one: { all: number; phrase: PhrasePlaces }) => number) =>
      [...phrases.values()].reduce((total, one) => total + of(one), 0);
    return {
      found,
      missing,
      places: sum(({ all }) => all),
      lookedAt: sum((one) => one.phrase.places.length),
    };
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

/** The example that shows best that a latent's examples have the phrase; null where none has. */
export function bestExample(
  { index, text, phrase, matches }: DictionaryMatches,
  latent: number,
): MatchedExample | null {
  const at = matches.latents.indexOf(latent);
  return at < 0 ? null : matchedExample(index, text, { row: matches.best[at], phrase });
}

/** At most `most` places, evenly over all. */
function spread({ places, words }: PhrasePlaces, most: number): PhrasePlaces {
  if (places.length <= most) return { places, words };
  const step = places.length / most;
  return { places: Int32Array.from({ length: most }, (_, i) => places[Math.floor(i * step)]), words };
}
