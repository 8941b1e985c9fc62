import { regularisedBeta } from './regularisedBeta.ts';

/**
 * Jeffreys' interval of a share of which `successes` in `trials` were seen: quantiles of Beta(½ + k, ½ + n − k), from 0 where
 * nothing was seen and to 1 where everything was (Brown, Cai & DasGupta, 2001).
 */
export function jeffreysInterval(successes: number, trials: number, level = 0.95): [number, number] {
  const [a, b] = [successes + 0.5, trials - successes + 0.5];
  const tail = (1 - level) / 2;
  return [
    successes === 0 ? 0 : betaQuantile(tail, a, b),
    successes === trials ? 1 : betaQuantile(1 - tail, a, b),
  ];
}

/** The x at which the distribution function of Beta(a, b) is p, by bisection to the last digit that doubles have there. */
function betaQuantile(p: number, a: number, b: number): number {
  let low = 0;
  let high = 1;
  for (let round = 0; round < 60; round++) {
    const middle = (low + high) / 2;
    if (regularisedBeta(middle, a, b) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
