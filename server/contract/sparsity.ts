import { z } from 'zod';
import type { SparsityReport } from '../../sae/store/manifests.ts';
import { pageFields } from './tokens.ts';
import type { TokenText } from './tokens.ts';

export interface SparsityRow {
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
  /** Mean over layers, weighted by their neurons. */
  activationRatio: number;
  deadRate: number;
  cett: number;
}

export interface SparsityDetail {
  report: SparsityReport;
  /** CETT against the share of neurons left active, per layer, ascending threshold. */
  curves: { layer: number; threshold: number[]; cett: number[]; activeRatio: number[] }[];
  /** Activation ratio by position in the sequence, per layer. */
  positions: { layer: number; position: number[]; activationRatio: number[] }[];
}

export const neuronSorts = [
  'neuron',
  'frequency',
  'frequencyAt',
  'meanActivation',
  'maxActivation',
  'outputNorm',
] as const;

export const neuronListInput = z.object({
  name: z.string().min(1),
  layer: z.int().nonnegative(),
  sort: z.enum(neuronSorts).default('frequency'),
  ...pageFields,
});
export type NeuronListInput = z.infer<typeof neuronListInput>;

export interface NeuronRow {
  layer: number;
  neuron: number;
  frequency: number;
  frequencyAt: number;
  meanActivation: number;
  maxActivation: number;
  outputNorm: number;
  topTokens: TokenText[];
  promoted: TokenText[];
}

export const sparsityCompareInput = z.object({ names: z.array(z.string().min(1)).min(1).max(8) });
