/**
 * Keeping about the k largest of n activations without sorting (Spark Transformer, 2506.06644; METHODS.md §4): a token's
 * pre-activations are taken for a normal sample, the threshold is where k of n would lie above it, and what is above
 * it is shifted down by it, so that the result is continuous in the input.
 */
import { LazyscopeError } from '../../errors.ts';
import { normalQuantile } from '../../numerics/normalQuantile.ts';

export interface StatisticalTopK {
  /** max(x − θ, 0), [tokens, n]. */
  values: Float32Array;
  /** θ of each token. */
  thresholds: Float64Array;
  /** How many entries of each token are above its threshold: k if the sample is normal. */
  kept: Uint32Array;
}

/** θ = mean + std·Φ⁻¹(1 − k/n) of one token's n values; the standard deviation is the sample's (n − 1). */
export function statisticalThreshold(values: Float32Array, k: number): number {
  const n = values.length;
  if (!(k > 0 && k <= n) || n < 2)
    throw new LazyscopeError(
      'bad_input',
      `Of ${n} values, statistical top-k can keep 1 to ${n}, but k is ${k}.`,
    );
  let mean = 0;
  for (const x of values) mean += x / n;
  let squares = 0;
  for (const x of values) squares += (x - mean) ** 2;
  const std = Math.sqrt(squares / (n - 1));
  // Without spread every value is the mean, and 0 · ∞ is not a threshold.
  return std === 0 ? mean : mean + std * normalQuantile(1 - k / n);
}

/** x [tokens, n], one threshold a token. */
export function statisticalTopK(x: Float32Array, n: number, k: number): StatisticalTopK {
  const tokens = x.length / n;
  const values = new Float32Array(x.length);
  const thresholds = new Float64Array(tokens);
  const kept = new Uint32Array(tokens);
  for (let t = 0; t < tokens; t++) {
    const threshold = statisticalThreshold(x.subarray(t * n, (t + 1) * n), k);
    thresholds[t] = threshold;
    // k = n keeps everything: the threshold is −∞, and nothing is shifted.
    const shift = threshold === -Infinity ? 0 : threshold;
    for (let at = t * n; at < (t + 1) * n; at++) {
      if (x[at] <= threshold) continue;
      values[at] = x[at] - shift;
      kept[t]++;
    }
  }
  return { values, thresholds, kept };
}
