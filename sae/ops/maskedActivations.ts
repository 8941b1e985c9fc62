/**
 * Activations without the entries that a rule masks, counted on the way: one pass over the activations of a layer, where the loops of
 * the reference on the host take longer than the layer itself.
 */
import { normalThreshold } from '../numerics/normalThreshold.ts';
import { tf, type Tensor } from '../tensor/tf.ts';
import { hasKernel, runKernels } from './fusedKernel.ts';

/** Which entries of a [rows, neurons] become 0; `key` is another matrix of the same shape that may decide instead of a. */
export type Mask =
  /** Those with key ≤ the neuron's bar [neurons]; without a key, those with |a| ≤ it. */
  | { rule: 'atMost'; bars: Float32Array }
  /** All but the k largest |a| of a row; of equal ones, those with the lower index stay. */
  | { rule: 'largest'; k: number }
  /** Those with key ≤ mean + std · quantile of the row's keys; without a key, of a. */
  | { rule: 'normal'; quantile: number }
  /** Those with a ≤ that threshold of a, and the others are reduced by it; a threshold of −∞ changes nothing. */
  | { rule: 'soft'; quantile: number };

/** In the order in which the native kernel numbers them. */
export const maskRules = ['atMost', 'largest', 'normal', 'soft'] as const satisfies readonly Mask['rule'][];

export interface MaskedActivations {
  /** In the shape of a. */
  masked: Tensor;
  /** Entries of it that are 0. */
  zeros: number;
  /** Entries of a that are 0, or no number. */
  zerosBefore: number;
}

/** a [… , neurons]; the caller disposes what is masked. A bar that is NaN masks nothing. */
export function maskedActivations(a: Tensor, mask: Mask, key?: Tensor): MaskedActivations {
  if (!hasKernel('MaskedActivations')) return referenceMaskedActivations(a, mask, key);
  const { rule } = mask;
  const bars = rule === 'atMost' ? tf.tensor1d(mask.bars) : undefined;
  const [masked, counts] = runKernels(
    'MaskedActivations',
    { a, ...(key ? { key } : {}), ...(bars ? { bars } : {}) },
    {
      rule,
      ...(rule === 'largest' ? { k: mask.k } : {}),
      ...(rule === 'normal' || rule === 'soft' ? { quantile: mask.quantile } : {}),
    },
  );
  const [zeros, zerosBefore] = counts.dataSync<'int32'>();
  tf.dispose([counts, bars ?? []]);
  return { masked, zeros, zerosBefore };
}

export function referenceMaskedActivations(a: Tensor, mask: Mask, key?: Tensor): MaskedActivations {
  const neurons = a.shape[a.shape.length - 1];
  const given = a.dataSync<'float32'>();
  const values = given.slice();
  const keys = key?.dataSync<'float32'>();
  for (let row = 0; row < values.length; row += neurons) {
    const own = values.subarray(row, row + neurons);
    maskRow(own, mask, keys?.subarray(row, row + neurons));
  }
  return {
    masked: tf.tensor(values, a.shape),
    zeros: count(values, (x) => x === 0),
    zerosBefore: count(given, (x) => !(Math.abs(x) > 0)),
  };
}

function maskRow(a: Float32Array, mask: Mask, key: Float32Array | undefined): void {
  switch (mask.rule) {
    case 'atMost':
      a.forEach((x, i) => {
        if ((key ? key[i] : Math.abs(x)) <= mask.bars[i]) a[i] = 0;
      });
      return;
    case 'largest':
      return keepLargest(a, mask.k);
    case 'normal': {
      const keys = key ?? a;
      const threshold = normalThreshold(keys, mask.quantile);
      for (let i = 0; i < a.length; i++) if (keys[i] <= threshold) a[i] = 0;
      return;
    }
    case 'soft': {
      const threshold = normalThreshold(a, mask.quantile);
      const shift = threshold === -Infinity ? 0 : threshold;
      a.forEach((x, i) => (a[i] = x <= threshold ? 0 : x - shift));
    }
  }
}

function keepLargest(a: Float32Array, k: number): void {
  if (k >= a.length) return;
  const magnitudes = a.map(Math.abs);
  const threshold = magnitudes.slice().sort()[a.length - k];
  let places = k - count(magnitudes, (magnitude) => magnitude > threshold);
  magnitudes.forEach((magnitude, i) => {
    if (magnitude > threshold) return;
    if (magnitude === threshold && places > 0) places--;
    else a[i] = 0;
  });
}

function count(values: Float32Array, test: (x: number) => boolean): number {
  let found = 0;
  for (const x of values) if (test(x)) found++;
  return found;
}
