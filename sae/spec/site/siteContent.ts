/** What the files of a published site hold, as JSON within gzip. */
import type { DictionaryReference } from '../manifests/comparison.ts';
import type { Json } from './packedAnswer.ts';

/** What there is to show: pages without any of it are not offered. */
export interface SiteParts {
  /** How many there are of each. */
  runs: number;
  reports: number;
  /** Trainings that were measured on the way. */
  trainings: number;
  /** Dictionaries with labels, and lists of features. */
  labelled: number;
  lists: number;
  /** Dictionaries whose examples can be searched. */
  searched: number;
  /** Whether the tables lie beside the pages. */
  tables: boolean;
}

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
}

/** Who has labels, and what is on each list. */
export interface LabelledFile {
  /** By run and seed; each has a file of its labels. */
  dictionaries: readonly DictionaryReference[];
  /** The features of each list, in the order in which they joined it. */
  lists: Readonly<Record<string, readonly (DictionaryReference & { latent: number })[]>>;
}

/** Of every latent of a dictionary with a label, as it is shown. */
export type LabelsFile = readonly Json[];

/** The indexed dictionaries in the order in which search goes through them. */
export type SearchedFile = readonly (DictionaryReference & {
  vocabulary: number | null;
  width: number;
  /** Whether its examples can be searched, or its labels alone. */
  searched: boolean;
})[];

/** The neurons of one layer of a sparsity report, at any order and filter. */
export interface NeuronsFile {
  vocabulary: number | null;
  model: string;
  activation: string;
  /** Columns of sparsityNeuronTable, by neuron. */
  columns: Readonly<Record<string, PlainColumn>>;
}

/** Where the tables lie, seen from the page, by `tableKey`. */
export type TablesFile = Readonly<Record<string, string>>;

/** The name of a table and what it is a table of, such as `features?run=topk&seed=0`. */
export function tableKey(table: string, of: Readonly<Record<string, string | number>>): string {
  const named = Object.entries(of).map(([name, value]) => [name, String(value)]);
  return `${table}?${new URLSearchParams(named.sort())}`;
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
