import { z } from 'zod';
import type { LayerMetricValues } from '../../sae/spec/layerMetrics/layerMetrics.ts';
import { sparsityNeuronTable } from '../../sae/spec/tables/sparsityNeurons.ts';
import { sparsityTables } from '../../sae/spec/tables/sparsityTables.ts';
import type { SparsityTableName } from '../../sae/spec/tables/sparsityTables.ts';
import { sortsOf } from '../../sae/spec/tables/table.ts';
import type { RowOf } from '../../sae/spec/tables/table.ts';
import type { SparsityReport } from '../../sae/spec/manifests/sparsityReport.ts';
import { pageFields } from './tokens.ts';
import type { DictionaryReference, TokenText } from './tokens.ts';
import type { Example } from './features.ts';

/** A report, with the mean of each metric over its layers, weighted by their neurons. */
export interface SparsityRow extends LayerMetricValues {
  name: string;
  createdAt: string;
  model: string;
  activation: string;
  gated: boolean;
  text: string;
  tokens: number;
  crossEntropy: number;
  layers: number;
  neurons: number;
}

export interface SparsityDetail {
  report: SparsityReport;
  /** CETT against the share of neurons left active, per layer, ascending threshold. */
  curves: { layer: number; threshold: number[]; cett: number[]; activeRatio: number[] }[];
  /** Activation ratio by position in the sequence, per layer. */
  positions: { layer: number; position: number[]; activationRatio: number[] }[];
}

export const neuronListInput = z.object({
  name: z.string().min(1),
  layer: z.int().nonnegative(),
  sort: z.enum(sortsOf(sparsityNeuronTable)).default('frequency'),
  /** Dead: on no token of the text. */
  firing: z.enum(['all', 'firing', 'dead']).default('all'),
  ...pageFields,
});
export type NeuronListInput = z.infer<typeof neuronListInput>;

export interface NeuronRow extends Omit<RowOf<typeof sparsityNeuronTable>, 'topTokens' | 'promotedTokens'> {
  topTokens: TokenText[];
  promoted: TokenText[];
}

export const sparsityTableInput = z.object({
  name: z.string().min(1),
  table: z.enum(Object.keys(sparsityTables) as SparsityTableName[]),
});

/** As CSV, of one layer or one neuron where asked for. */
export const sparsityCsvInput = sparsityTableInput.extend({
  layer: z.coerce.number().int().nonnegative().optional(),
  neuron: z.coerce.number().int().nonnegative().optional(),
});
export type SparsityCsvInput = z.infer<typeof sparsityCsvInput>;

export const sparsityCompareInput = z.object({ names: z.array(z.string().min(1)).min(1).max(8) });

export const neuronInput = z.object({
  name: z.string().min(1),
  layer: z.int().nonnegative(),
  neuron: z.int().nonnegative(),
});
export type NeuronInput = z.infer<typeof neuronInput>;

/** A latent whose decoder row is near what the neuron writes. */
export interface NeuronFeature extends DictionaryReference {
  latent: number;
  cosine: number;
  density: number;
  /** Share of the compared other seeds in which it is shared; null when none is compared. */
  stability: number | null;
  promoted: TokenText[];
}

export interface NeuronDetail extends NeuronRow {
  report: string;
  model: string;
  activation: string;
  /** Neurons of the layer, and how many of them fire less often. */
  neurons: number;
  lazier: number;
  /** Empty in reports made before examples were kept. */
  examples: Example[];
  features: NeuronFeature[];
}

export const neuronAlignmentInput = z.object({
  name: z.string().min(1),
  run: z.string().min(1),
  seed: z.int().nonnegative(),
});
export type NeuronAlignmentInput = z.infer<typeof neuronAlignmentInput>;

/** The join of a dictionary with the neurons that write its latents. */
export interface NeuronAlignment extends DictionaryReference {
  report: string;
  hook: string;
  /** Other seeds of the same configuration it was compared with; 0 leaves stability null. */
  compared: number;
  /** Live latents, each with its strongest neuron. */
  latent: number[];
  layer: number[];
  neuron: number[];
  cosine: number[];
  /** Firing frequency of that neuron. */
  frequency: number[];
  stability: (number | null)[];
  /** By stability, ascending: latents, and means over them of |cosine|, of the frequency of the strongest neuron, and of the kept neurons weighted by cosine². */
  groups: {
    stability: number;
    latents: number;
    cosine: number;
    frequency: number;
    weightedFrequency: number;
  }[];
  /** Spearman's rank correlation of stability with frequency; null where either does not vary. */
  correlation: number | null;
}

export interface EmergenceCurve {
  model: string;
  activation: string;
  gated: boolean;
  layers: number;
  neurons: number;
  parameters: number;
  seed: number;
  tokens: number[];
  crossEntropy: number[];
  /** [observation][layer] */
  activationRatio: number[][];
  /** Share with |a| above the middle threshold, by which smooth functions can be told apart. */
  ratioAt: number[][];
  deadRate: number[][];
  /** Fitted to the mean activation ratio where it is exact, to ratioAt where it is not; null with too few observations. */
  law: { form: string; alpha: number; c: number; b: number; limit: number; r2: number } | null;
}
