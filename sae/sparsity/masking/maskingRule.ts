/**
 * Which neurons are masked: the rules of the literature as one kind of function (METHODS.md §4). A rule sees what W_down is
 * about to read and sets the masked activations to 0, in place; intervention.ts puts it into a forward pass.
 */
import type { Random } from '../../numerics/random.ts';
import { statisticalThreshold } from './statisticalTopK.ts';

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

/** Sets the entries of `a` that it masks to 0, in place. */
export type MaskingRule = (batch: MlpBatch) => void;

/** Masks |a_i| n_i ≤ τ, with one τ for each layer: CETT's rule (ReLU² Wins, 2402.03804). thresholds [layers], norms [layers][neurons]. */
export function contributionRule(thresholds: readonly number[], norms: readonly Float64Array[]): MaskingRule {
  return ({ a, neurons, layer }) => {
    const [threshold, n] = [thresholds[layer], norms[layer]];
    for (let at = 0, i = 0; at < a.length; at++, i = i + 1 === neurons ? 0 : i + 1)
      if (Math.abs(a[at]) * n[i] <= threshold) a[at] = 0;
  };
}

/** Masks |a| ≤ τ. With one τ for each layer this is TEAL's rule (2408.14690), and with the same τ for all layers the magnitude control. */
export function magnitudeRule(thresholds: readonly number[]): MaskingRule {
  return ({ a, layer }) => {
    const threshold = thresholds[layer];
    for (let at = 0; at < a.length; at++) if (Math.abs(a[at]) <= threshold) a[at] = 0;
  };
}

/** Masks act(·) ≤ T, negative values included: FATReLU (ProSparse, 2402.13516) with one T for all layers. */
export function fatReluRule(threshold: number): MaskingRule {
  return ({ a, act }) => {
    for (let at = 0; at < a.length; at++) if (act[at] <= threshold) a[at] = 0;
  };
}

/** Masks all but the k largest |a| of each token (Lazy Neuron, 2210.06313); of equal ones, those with the lower index stay. */
export function topKRule(k: number): MaskingRule {
  return ({ a, neurons }) => {
    if (k >= neurons) return;
    const magnitudes = new Float32Array(neurons);
    for (let row = 0; row < a.length; row += neurons) {
      for (let i = 0; i < neurons; i++) magnitudes[i] = Math.abs(a[row + i]);
      const threshold = kthLargest(magnitudes, k);
      let places = k;
      for (let i = 0; i < neurons; i++) if (Math.abs(a[row + i]) > threshold) places--;
      for (let i = 0; i < neurons; i++) {
        const magnitude = Math.abs(a[row + i]);
        if (magnitude > threshold) continue;
        if (magnitude === threshold && places > 0) places--;
        else a[row + i] = 0;
      }
    }
  };
}

/** The k-th largest of `values` (k from 1) by quickselect, which reorders `values`. */
export function kthLargest(values: Float32Array, k: number): number {
  let [low, high] = [0, values.length - 1];
  const target = k - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1];
    let [i, j] = [low, high];
    while (i <= j) {
      while (values[i] > pivot) i++;
      while (values[j] < pivot) j--;
      if (i > j) break;
      const swap = values[i];
      values[i++] = values[j];
      values[j--] = swap;
    }
    if (target <= j) high = j;
    else if (target >= i) low = i;
    else break;
  }
  return values[target];
}

/**
 * Masks pre-activations at or below Spark's threshold (2506.06644) for the token, mean + std·Φ⁻¹(1 − k/n); the other activations are
 * left as they are. The paper's soft threshold, for which a model must be trained, is in statisticalTopK.ts.
 */
export function sparkRule(k: number): MaskingRule {
  return ({ a, pre, neurons }) => {
    for (let row = 0; row < a.length; row += neurons) {
      const threshold = statisticalThreshold(pre.subarray(row, row + neurons), k);
      for (let at = row; at < row + neurons; at++) if (pre[at] <= threshold) a[at] = 0;
    }
  };
}

/** The random control: each entry that is not 0 is masked with this probability. */
export function randomRule(probability: number, random: Random): MaskingRule {
  return ({ a }) => {
    for (let at = 0; at < a.length; at++) if (a[at] !== 0 && random.uniform() < probability) a[at] = 0;
  };
}

/**
 * Circa's stochastic ReLU (2106.08475), read as a rule: truncation to `width` makes the sign test of a small positive
 * pre-activation x fail with probability 1 − x/width, and the neuron is masked (the paper's PosZero).
 */
export function circaRule(width: number, random: Random): MaskingRule {
  return ({ a, pre }) => {
    for (let at = 0; at < a.length; at++)
      if (pre[at] > 0 && pre[at] < width && random.uniform() > pre[at] / width) a[at] = 0;
  };
}
