/**
 * Chance, first kind: random directions without a preference. For two independent random unit vectors of R^d,
 * cos² ~ Beta(½, (d − 1)/2), and the sign is even (METHODS.md §7). Exact; needs nothing but the shape of the dictionaries.
 */
import { regularisedBeta } from '../../numerics/regularisedBeta.ts';

/** P(cos ≥ c) for two independent random directions in d ≥ 1 dimensions. */
export function isotropicExceedance(c: number, d: number): number {
  if (c < 0) return 1 - isotropicExceedance(-c, d);
  if (c > 1) return 0;
  if (d === 1) return 0.5;
  return 0.5 * regularisedBeta((1 - c) * (1 + c), (d - 1) / 2, 0.5, c * c);
}

/** P(largest ≥ c) of `count` independent cosines of which each reaches c with probability `single`. */
export function largestExceedance(single: number, count: number): number {
  if (single >= 1) return 1;
  return -Math.expm1(count * Math.log1p(-single));
}

/** Expectation of the largest of `count` independent cosines, by ∫ P(largest ≥ c) dc over [−1, 1] − 1. */
export function expectedLargest(exceedance: (c: number) => number, count: number): number {
  // The trapezoid rule is as exact as the integrand is smooth: P rises from 0 to 1 over many of these steps.
  const steps = 4096;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const weight = i === 0 || i === steps ? 0.5 : 1;
    sum += weight * largestExceedance(exceedance((2 * i) / steps - 1), count);
  }
  return (2 * sum) / steps - 1;
}

/** MMCS of a dictionary of any size with a random one of `count` latents in d dimensions. */
export function isotropicMmcs(d: number, count: number): number {
  return expectedLargest((c) => isotropicExceedance(c, d), count);
}
