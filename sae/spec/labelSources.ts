/** Where the label of a latent comes from, and how well it was found to fit, as plain data. */
import type { DictionaryName } from './fields.ts';

/** Who or what gave a label. */
export type LabelSource =
  /** A person typed it. */
  | { kind: 'hand' }
  /** `lazyscope label --method data`: a rule found in the examples. */
  | { kind: 'data' }
  /** `lazyscope label --method endpoint`: a language model behind a chat-completions endpoint. */
  | { kind: 'endpoint'; model: string }
  /** Copied from the matched latent of another dictionary; `cosine` is that of the two decoder rows. */
  | ({ kind: 'carried'; latent: number; cosine: number } & DictionaryName)
  /** Read from a file; `was` is what the file said of its origin, for example the model that wrote an explanation. */
  | { kind: 'imported'; was: string | null };

export type LabelSourceKind = LabelSource['kind'];

export const labelSourceKinds = ['hand', 'data', 'endpoint', 'carried', 'imported'] as const;

/** The list that a star puts a feature on. */
export const starredList = 'starred';

/** What the fields of a label hold at most, in characters. */
export const longestLabel = 200;
export const longestNote = 10_000;

/** A source in a few words, as tables and files print it. */
export function printSource(source: LabelSource): string {
  switch (source.kind) {
    case 'hand':
      return 'hand';
    case 'data':
      return 'data';
    case 'endpoint':
      return `endpoint: ${source.model}`;
    case 'carried':
      return `carried from ${source.run} seed ${source.seed} latent ${source.latent}, cosine ${source.cosine.toFixed(2)}`;
    case 'imported':
      return source.was === null ? 'imported' : `imported: ${source.was}`;
  }
}

/** How a classifier that only saw the label judged contexts that the label was not made from. */
export interface LabelCounts {
  positives: number;
  /** Positives that were judged to be positive. */
  truePositives: number;
  negatives: number;
  trueNegatives: number;
  /** Contexts without a judgement that can be read; they are in none of the counts above. */
  unanswered: number;
}

/** Counts with the figure made of them. */
export interface LabelScore extends LabelCounts {
  /** (truePositives / positives + trueNegatives / negatives) / 2; chance gives 0.5. */
  balancedAccuracy: number;
  /** Its 95 % interval. */
  interval: [number, number];
}
