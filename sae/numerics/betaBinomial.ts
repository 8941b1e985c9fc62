/**
 * Counts k of m that differ because their probabilities do: p ~ Beta(a, b), k ~ Binomial(m, p). With the features of a dictionary
 * as individuals and its other seeds as trials this is a law of how many features further seeds would leave.
 */
export interface BetaShape {
  readonly a: number;
  readonly b: number;
}

/**
 * Most likely a and b for a histogram of counts: `histogram[k]` individuals had k of m, m its length − 1. Null where m < 2, which says
 * nothing about how p is spread, and where all individuals have 0 or all have m.
 */
export function fitBetaBinomial(histogram: readonly number[]): BetaShape | null {
  const m = histogram.length - 1;
  const total = histogram.reduce((sum, n) => sum + n, 0);
  if (m < 2 || histogram[0] === total || histogram[m] === total) return null;
  const loss = ([mean, spread]: readonly [number, number]) => {
    const shape = shapeOf(mean, spread);
    return -histogram.reduce((sum, n, k) => (n === 0 ? sum : sum + n * logChance(k, m, shape)), 0);
  };
  // A search in the logit of the mean and the logarithm of a + b; steps shrink when no neighbour is better.
  const mean = histogram.reduce((sum, n, k) => sum + (n * k) / m, 0) / total;
  let at: [number, number] = [Math.log(mean / (1 - mean)), 0];
  let best = loss(at);
  for (let step = 1; step > 1e-7;) {
    const moves: [number, number][] = [
      [at[0] + step, at[1]],
      [at[0] - step, at[1]],
      [at[0], at[1] + step],
      [at[0], at[1] - step],
    ];
    const better = moves.find((move) => Math.abs(move[1]) < 14 && loss(move) < best);
    if (better) [at, best] = [better, loss(better)];
    else step /= 2;
  }
  return shapeOf(...at);
}

function shapeOf(logit: number, logSum: number): BetaShape {
  const mean = 1 / (1 + Math.exp(-logit));
  return { a: mean * Math.exp(logSum), b: (1 - mean) * Math.exp(logSum) };
}

/** Log of the chance of one particular sequence with k successes: the binomial coefficient does not depend on a and b. */
function logChance(k: number, m: number, { a, b }: BetaShape): number {
  let sum = 0;
  for (let j = 0; j < k; j++) sum += Math.log(a + j);
  for (let j = 0; j < m - k; j++) sum += Math.log(b + j);
  for (let j = 0; j < m; j++) sum -= Math.log(a + b + j);
  return sum;
}

/** E[p^n]: the share of individuals with n successes in n trials. */
export function everySuccess({ a, b }: BetaShape, n: number): number {
  let product = 1;
  for (let j = 0; j < n; j++) product *= (a + j) / (a + b + j);
  return product;
}
