import { z } from 'zod';
import { indexNumber, seedNumber, storeName } from './limits.ts';
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
  /** Null for an encoder. */
  crossEntropy: number | null;
  layers: number;
  neurons: number;
}

/** A sparsity report with its layers, curves and measurements. */
export interface SparsityDetail {
  report: SparsityReport;
  /** CETT against the share of neurons left active, per layer, ascending threshold. */
  curves: { layer: number; threshold: number[]; cett: number[]; activeRatio: number[] }[];
  /** Activation ratio by position in the sequence, per layer. */
  positions: { layer: number; position: number[]; activationRatio: number[] }[];
}

export const neuronListInput = z.object({
  name: storeName,
  layer: indexNumber,
  sort: z.enum(sortsOf(sparsityNeuronTable)).default('frequency'),
  /** Which neurons to list: dead ones fire on no token of the text. */
  firing: z.enum(['all', 'firing', 'dead']).default('all'),
  ...pageFields,
});
export type NeuronListInput = z.infer<typeof neuronListInput>;

/** A neuron in a list. */
export interface NeuronRow extends Omit<RowOf<typeof sparsityNeuronTable>, 'topTokens' | 'promotedTokens'> {
  topTokens: TokenText[];
  promoted: TokenText[];
}

export const sparsityTableInput = z.object({
  name: storeName,
  table: z.enum(Object.keys(sparsityTables) as SparsityTableName[]),
});

/** A table as CSV: the whole table, one layer, or one neuron of a layer. */
export const sparsityCsvInput = sparsityTableInput.extend({
  layer: z.coerce.number().int().nonnegative().optional(),
  neuron: z.coerce.number().int().nonnegative().optional(),
});
export type SparsityCsvInput = z.infer<typeof sparsityCsvInput>;

export const sparsityCompareInput = z.object({ names: z.array(storeName).min(1).max(8) });

export const neuronInput = z.object({
  name: storeName,
  layer: indexNumber,
  neuron: indexNumber,
});
export type NeuronInput = z.infer<typeof neuronInput>;

/** A latent for which the neuron is among those with the largest loadings. */
export interface NeuronFeature extends DictionaryReference {
  latent: number;
  cosine: number;
  density: number;
  /** Share of the compared other seeds in which it is shared; null when none is compared. */
  stability: number | null;
  promoted: TokenText[];
}

/** Everything that the page of one neuron shows. */
export interface NeuronDetail extends NeuronRow {
  report: string;
  model: string;
  activation: string;
  /** Number of neurons of the layer, and how many of them fire less often than this one. */
  neurons: number;
  lazier: number;
  /** The stretches of text on which it is strongest; empty in reports made before examples were kept. */
  examples: Example[];
  features: NeuronFeature[];
}

export const neuronAlignmentInput = z.object({
  name: storeName,
  run: storeName,
  seed: seedNumber,
});
export type NeuronAlignmentInput = z.infer<typeof neuronAlignmentInput>;

/** The live latents of a dictionary, each joined with the neurons on which it has the largest loadings. */
export interface NeuronAlignment extends DictionaryReference {
  report: string;
  hook: string;
  /** Other seeds of the same configuration it was compared with; 0 leaves stability null. */
  compared: number;
  /** The latents that fire, [live latents]. The lists below hold the neuron with the largest |loading| of each, and the loading itself as `cosine`. */
  latent: number[];
  layer: number[];
  neuron: number[];
  cosine: number[];
  /** Firing frequency of that neuron. */
  frequency: number[];
  stability: (number | null)[];
  /**
   * Latents grouped by stability, ascending. The figures are means over a group's latents: |cosine| and firing frequency of the neuron
   * with the largest loading, and the firing frequency of all stored neurons weighted by cosine².
   */
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

/** How sparsity emerged while one model was trained. */
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
  /** [observation][layer]: share of activations that are not exactly 0. */
  activationRatio: number[][];
  /** [observation][layer]: share of entries with |a| above the middle threshold, which also tells smooth activation functions apart. */
  ratioAt: number[][];
  deadRate: number[][];
  /** Fitted to the mean activation ratio for activation functions with exact zeros, to `ratioAt` for others; null with too few observations. */
  law: { form: string; alpha: number; c: number; b: number; limit: number; r2: number } | null;
}
