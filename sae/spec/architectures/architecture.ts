/**
 * What the product has to know of an architecture besides its mathematics, as plain data. From these descriptions come
 * the schema of training configurations, the flags of `lazyscope train` and its form, sweeps, checkpoints, the form in
 * which dictionaries are stored and exchanged, and names and marks in charts.
 *
 * A new architecture is a file here and a line in `architectures.ts`, and its mathematics: a file of sae/autoencoders
 * and a line in `implementations.ts` there. The compiler says what is missing.
 */
import type { ValuesOf } from '../fields.ts';
import type { Settings, TrainingSettings } from '../trainingFields.ts';

/**
 * Which latents of a trained dictionary fire, given the pre-activations z = W_enc·(x − b_dec or x) + b_enc. But for
 * matching pursuit, a latent that fires has the value z, and all others have 0.
 */
export type InferenceRule =
  | { readonly fires: 'positive' }
  /** The k largest of ReLU(z); `k` is the name of the setting that holds k. */
  | { readonly fires: 'largest'; readonly k: string }
  /** z > θ and z > 0, with one θ for each latent: where θ < 0, which other tools' dictionaries have, this is ReLU. */
  | { readonly fires: 'above threshold' }
  /** The same, where training kept the k · rows largest of a batch: `k` is the name of the setting that holds k. */
  | { readonly fires: 'above threshold'; readonly k: string }
  /** Latents in order are k groups of one size; of each the largest of ReLU(z). `k` is the name of the setting that holds k. */
  | { readonly fires: 'largest of its group'; readonly k: string }
  /** One after the other by what is left of x; see sae/autoencoders/matchingPursuit.ts. There z has another meaning, and W_enc = W_dec. */
  | { readonly fires: 'by matching pursuit' };

/** A list that a sweep file may have: one run for each of its values. */
export interface SweepList {
  /** Its name in the file. */
  readonly list: string;
  /** The setting that the values go to. */
  readonly setting: string;
  /** What stands before the value in the run's name. */
  readonly letter: string;
}

/** Numbers that one seed's training keeps, by name. */
export type TrainingState = Readonly<Record<string, number>>;

/** An architecture as plain data; METHODS.md §1 has the mathematics. */
export interface ArchitectureDescription<
  Own extends Settings = Settings,
  Rule extends InferenceRule = InferenceRule,
> {
  /** As papers write it. */
  readonly label: string;
  /** Whether it can read several hook points at once. */
  readonly hasCrosscoders?: true;
  /** The mark in charts, which tells architectures apart without colour. */
  readonly symbol:
    'circle' | 'square' | 'triangle' | 'diamond' | 'star' | 'hexagon' | 'wye' | 'plus' | 'pentagon';
  /** A colour of the explorer's palette: a custom property of web/styles/tokens.css. */
  readonly colour: string;
  /** Settings besides those of `trainingFields`. */
  readonly settings: Own;
  /** Settings that work without tuning for a dictionary of `width` latents on activations of width `d`; only what differs from the common defaults. */
  defaults(
    width: number,
    d: number,
  ): ValuesOf<Own> & Pick<TrainingSettings, 'learningRate'> & Partial<TrainingSettings>;
  /** A small valid choice of every own setting, for tests and benchmarks that vary one thing. */
  readonly example: ValuesOf<Own>;
  /** What a configuration must fulfil beyond the ranges of its settings: says what is wrong, or null. */
  refuses?(config: ValuesOf<Own> & TrainingSettings): string | null;
  /** How the learning rate rises: linearly, or as half a cosine. */
  readonly warmup: 'linear' | 'cosine';
  /**
   * The settings that hold λ of the sparsity penalty and the share of the steps over which it rises linearly from 0; null
   * for architectures without such a penalty.
   */
  readonly sparsityPenalty: { readonly coefficient: string; readonly warmupFraction: string } | null;
  /** The first of these lists that a sweep file has makes the runs of this architecture. */
  readonly sweeps: readonly SweepList[];
  /** Whether the encoder reads x − b_dec, rather than x. */
  readonly subtractsDecoderBias: boolean;
  readonly inference: Rule;
  /** Whether log θ [latents] is trained along with the matrices and biases. */
  readonly trainsThresholds: boolean;
  /**
   * Numbers that training keeps for each seed besides parameters and optimiser, and their values before the first step,
   * for example BatchTopK's running threshold. Checkpoints hold them.
   */
  readonly trainingState: TrainingState;
}

/** Checks a description where it is written, and keeps the types of its settings and of its inference rule. */
export function describeArchitecture<const Own extends Settings, const Rule extends InferenceRule>(
  description: ArchitectureDescription<Own, Rule>,
): ArchitectureDescription<Own, Rule> {
  return description;
}
