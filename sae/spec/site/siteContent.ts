/** What the files of a published site hold, as JSON within gzip. */
import type { Json } from './packedAnswer.ts';

/** Answers by key, packed. `vocabulary` says whose texts are left out; null where there are none. */
export interface AnswersFile {
  vocabulary: number | null;
  answers: Readonly<Record<string, Json>>;
}

/** A column as plain numbers; of lists the values and where each row begins. */
export type PlainColumn =
  readonly (number | null)[] | { values: readonly number[]; offsets: readonly number[] };

/** What the list of a dictionary's latents is made of, at any order and filter. */
export interface DictionaryFile {
  vocabulary: number | null;
  width: number;
  /** Columns of listedFeatureTable. */
  columns: Readonly<Record<string, PlainColumn>>;
  /** Comparisons with dictionaries that differ in the seed only, whose matches say which latents are shared. */
  comparisons: readonly string[];
  /** Of every latent with a label, as it is shown. */
  labels: readonly Json[];
  /** The latents on each list. */
  lists: Readonly<Record<string, readonly number[]>>;
}

/** The matches of a comparison, as the server lists them by latent, and what decides whether a pair is shared at a threshold. */
export interface MatchesFile {
  vocabulary: number | null;
  threshold: number;
  /** By how much a cosine may miss the threshold because of rounding. */
  rounding: number;
  a: { run: string; seed: number };
  b: { run: string; seed: number };
  /** MatchRows, packed. */
  rows: Json;
}

/** The key of a comparison's matches among its answers. */
export const matchesKey = 'matches';

/** The texts of a model's tokens by id; null where there is none. */
export type VocabularyFile = readonly (string | null)[];
