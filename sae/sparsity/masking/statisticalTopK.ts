/**
 * Keeping about the k largest of n activations without sorting (Spark Transformer, 2506.06644; METHODS.md §4): a token's
 * pre-activations are assumed to be normally distributed, the threshold θ = mean + std·Φ⁻¹(1 − k/n) is such that k of n would lie above
 * it, and values above it are reduced by it, so that the result max(x − θ, 0) is continuous in the input.
 */
import { LazyscopeError } from '../../errors.ts';
import { normalQuantile } from '../../numerics/normalQuantile.ts';
import type { Mask } from '../../ops/maskedActivations.ts';

/** The mask that keeps about k of a token's n values. With k = n the threshold is −∞: everything is kept as it is. */
export function statisticalTopK(n: number, k: number): Extract<Mask, { rule: 'soft' }> {
  if (!(k > 0 && k <= n) || n < 2)
    throw new LazyscopeError(
      'bad_input',
      `Of ${n} values, statistical top-k can keep 1 to ${n}, but k is ${k}.`,
    );
  return { rule: 'soft', quantile: normalQuantile(1 - k / n) };
}
