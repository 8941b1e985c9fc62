import { z } from 'zod';
import type { ArchitectureName } from '../../sae/spec/architectures/architectures.ts';
import { dictionaryInput, pageFields } from './tokens.ts';
import type { DictionaryReference, TokenCount, TokenEffect, TokenText } from './tokens.ts';

export const featureSorts = [
  'latent',
  'density',
  'firings',
  'maxActivation',
  'meanActivation',
  'decoderNorm',
  'encoderDecoderCosine',
  'stability',
] as const;

export const featureFilterInput = z
  .object({
    minDensity: z.number().min(0).max(1),
    maxDensity: z.number().min(0).max(1),
    dead: z.boolean(),
    minStability: z.number().min(0).max(1),
    maxStability: z.number().min(0).max(1),
    /** Text searched, ignoring case, in the tokens a feature promotes and the tokens it fires on. */
    token: z.string().min(1).max(100),
    latent: z.int().nonnegative(),
  })
  .partial();

export const featureListInput = dictionaryInput.extend({
  sort: z.enum(featureSorts).default('density'),
  ...pageFields,
  filter: featureFilterInput.default({}),
});
export type FeatureListInput = z.infer<typeof featureListInput>;

export const featureInput = dictionaryInput.extend({ latent: z.int().nonnegative() });
export type FeatureInput = z.infer<typeof featureInput>;

export interface FeatureRow {
  latent: number;
  /** Share of held-out tokens on which it is active. */
  density: number;
  firings: number;
  dead: boolean;
  maxActivation: number;
  meanActivation: number;
  /** Counts in 32 equal bins on (0, maxActivation]. */
  histogram: number[];
  decoderNorm: number;
  encoderDecoderCosine: number;
  promoted: TokenText[];
  topTokens: TokenCount[];
  /** Share of the compared other seeds in which it is shared; null when none is compared. */
  stability: number | null;
  label: string | null;
}

export interface Example {
  rank: number;
  /** At the peak. */
  activation: number;
  context: number;
  /** Of the peak in its context; the peak is tokens[position − start]. */
  position: number;
  start: number;
  tokens: TokenText[];
  /** As long as `tokens`. */
  activations: number[];
}

export interface Neighbour {
  latent: number;
  cosine: number;
  density: number;
  promoted: TokenText[];
}

/** What a comparison says of this feature in another dictionary. */
export interface Counterpart extends DictionaryReference {
  /** Name of the comparison that says so. */
  comparison: string;
  architecture: ArchitectureName;
  /** Only the seed differs between the two dictionaries. */
  sameConfiguration: boolean;
  /** Null when the optimal decoder matching leaves this feature without a counterpart. */
  latent: number | null;
  decoderCosine: number | null;
  encoderCosine: number | null;
  shared: boolean;
  activationCorrelation: number | null;
  firingJaccard: number | null;
  density: number | null;
  promoted: TokenText[];
  topExample: Example | null;
}

export interface FeatureDetail extends Omit<FeatureRow, 'promoted'>, DictionaryReference {
  architecture: ArchitectureName;
  hook: string;
  width: number;
  capture: string;
  model: string | null;
  biasEncoder: number;
  promoted: TokenEffect[];
  suppressed: TokenEffect[];
  neighbours: Neighbour[];
  /** `top` first, then the quantile bands from strongest to weakest. */
  examples: { band: string; examples: Example[] }[];
  counterparts: Counterpart[];
  /** Seeds of other dictionaries with the same configuration that were compared with this one. */
  comparedSeeds: number;
  note: string | null;
}
