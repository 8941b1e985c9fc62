/**
 * Keeping about the k largest of n activations without sorting (Spark Transformer, 2506.06644; METHODS.md §4): a token's
 * pre-activations are assumed to be normally distributed, the threshold is such that k of n would lie above it, and values above
 * it are reduced by it, so that the result is continuous in the input.
 */
import { LazyscopeError } from '../../errors.ts';
import { normalQuantile } from '../../numerics/normalQuantile.ts';

export interface StatisticalTopK {
  /** max(x − θ, 0), [tokens, n]. */
  values: Float32Array;
  /** [tokens]: θ of each token. */
  thresholds: Float64Array;
  /** [tokens]: how many entries are above the token's threshold; about k if they are normally distributed. */
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
  // With a standard deviation of 0 the formula could give 0 · ∞.
  return std === 0 ? mean : mean + std * normalQuantile(1 - k / n);
}

/** Applies the soft threshold to x [tokens, n], with one threshold for each token. */
export function statisticalTopK(x: Float32Array, n: number, k: number): StatisticalTopK {
  const tokens = x.length / n;
  const values = new Float32Array(x.length);
  const thresholds = new Float64Array(tokens);
  const kept = new Uint32Array(tokens);
  for (let t = 0; t < tokens; t++) {
    const threshold = statisticalThreshold(x.subarray(t * n, (t + 1) * n), k);
    thresholds[t] = threshold;
    // With k = n the threshold is −∞: everything is kept, and nothing is shifted.
    const shift = threshold === -Infinity ? 0 : threshold;
    for (let at = t * n; at < (t + 1) * n; at++) {
      if (x[at] <= threshold) continue;
      values[at] = x[at] - shift;
      kept[t]++;
    }
  }
  return { values, thresholds, kept };
}
