/**
 * Which neurons are masked: the rules of the literature as one kind of value (METHODS.md §4). A rule sets some of the activations that
 * W_down is about to read to 0; intervention.ts puts it into a forward pass.
 */
import { floatAtMost } from '../../numerics/floatAtMost.ts';
import type { Random } from '../../numerics/random.ts';
import type { Mask } from '../../ops/maskedActivations.ts';
import { statisticalTopK } from './statisticalTopK.ts';

/** A rule that looks at values: it is carried out where the activations are. */
export interface ValueRule {
  /** What the mask compares beside a: what the activation function read, or gave. */
  key?: 'pre' | 'act';
  mask(layer: number, neurons: number): Mask;
}

/** One layer's activations on a batch of tokens, on the host. */
export interface MlpBatch {
  /** a, what W_down reads, [tokens, neurons]: rules write zeros into it. */
  a: Float32Array;
  /** What the activation function read, the same shape. */
  readonly pre: Float32Array;
  /** act(pre) where the MLP is gated, and `a` itself, as it was, where it is not; made when it is first read. */
  readonly act: Float32Array;
  neurons: number;
  layer: number;
}

/** A rule that draws random numbers, entry by entry: it sets the entries of `a` that it masks to 0, in place. */
export type HostRule = (batch: MlpBatch) => void;

export type MaskingRule = ValueRule | HostRule;

/** Masks |a_i| n_i ≤ τ, with one τ for each layer: CETT's rule (ReLU² Wins, 2402.03804). thresholds [layers], norms [layers][neurons]. */
export function contributionRule(thresholds: readonly number[], norms: readonly Float64Array[]): ValueRule {
  const bars: Float32Array[] = [];
  return {
    mask: (layer) => ({
      rule: 'atMost',
      bars: (bars[layer] ??= Float32Array.from(norms[layer], (n) => largestWithin(thresholds[layer], n))),
    }),
  };
}

const single = new Float32Array(1);
const singleBits = new Int32Array(single.buffer);

/** The largest single-precision magnitude m ≥ 0 with m · n ≤ τ, the product in double precision; −1 where there is none. */
function largestWithin(threshold: number, n: number): number {
  if (!(threshold >= 0)) return -1;
  if (threshold === Infinity || n === 0) return Infinity;
  single[0] = threshold / n;
  // The quotient is rounded, so that the answer may be one of its neighbours, whose bits are one more or less.
  while (single[0] * n > threshold) singleBits[0]--;
  do singleBits[0]++;
  while (single[0] * n <= threshold);
  singleBits[0]--;
  return single[0];
}

/** Masks |a| ≤ τ. With one τ for each layer this is TEAL's rule (2408.14690), and with the same τ for all layers the magnitude control. */
export function magnitudeRule(thresholds: readonly number[]): ValueRule {
  return {
    mask: (layer, neurons) => ({
      rule: 'atMost',
      bars: new Float32Array(neurons).fill(floatAtMost(thresholds[layer])),
    }),
  };
}

/** Masks act(·) ≤ T, negative values included: FATReLU (ProSparse, 2402.13516) with one T for all layers. */
export function fatReluRule(threshold: number): ValueRule {
  return {
    key: 'act',
    mask: (_, neurons) => ({ rule: 'atMost', bars: new Float32Array(neurons).fill(floatAtMost(threshold)) }),
  };
}

/** Masks all but the k largest |a| of each token (Lazy Neuron, 2210.06313); of equal ones, those with the lower index stay. */
export function topKRule(k: number): ValueRule {
  return { mask: () => ({ rule: 'largest', k }) };
}

/**
 * Masks pre-activations at or below Spark's threshold (2506.06644) for the token, mean + std·Φ⁻¹(1 − k/n); the other activations are
 * left as they are. The paper's soft threshold, for which a model must be trained, is in statisticalTopK.ts.
 */
export function sparkRule(k: number): ValueRule {
  return {
    key: 'pre',
    mask: (_, neurons) => ({ rule: 'normal', quantile: statisticalTopK(neurons, k).quantile }),
  };
}

/** The random control: each entry that is not 0 is masked with this probability. */
export function randomRule(probability: number, random: Random): HostRule {
  return ({ a }) => {
    for (let at = 0; at < a.length; at++) if (a[at] !== 0 && random.uniform() < probability) a[at] = 0;
  };
}

/**
 * Circa's stochastic ReLU (2106.08475), read as a rule: truncation to `width` makes the sign test of a small positive
 * pre-activation x fail with probability 1 − x/width, and the neuron is masked (the paper's PosZero).
 */
export function circaRule(width: number, random: Random): HostRule {
  return ({ a, pre }) => {
    for (let at = 0; at < a.length; at++)
      if (pre[at] > 0 && pre[at] < width && random.uniform() > pre[at] / width) a[at] = 0;
  };
}
