/** The median of what was measured, and where that of all such measurements lies 95 times of 100, whatever their distribution. */

export interface Estimate {
  median: number;
  /** Null where there are too few measurements for an interval: five or fewer. */
  interval: [number, number] | null;
}

/**
 * Between two order statistics, chosen so that the number of values below the true median, which is binomial (n, ½), lies outside
 * them at most 5 times of 100 (the sign test turned round). Throws a `RangeError` for no values, and for more than 1,000.
 */
export function medianInterval(values: readonly number[]): Estimate {
  if (values.length === 0 || values.length > 1_000) throw new RangeError('takes one to 1,000 values');
  const sorted = values.toSorted((a, b) => a - b);
  const below = sorted.length - 1;
  const median = (sorted[Math.floor(below / 2)] + sorted[Math.ceil(below / 2)]) / 2;
  // P(at most k of n), summed until it is more than 2.5 %; `chance` is that of exactly k.
  const n = sorted.length;
  let chance = 0.5 ** n;
  let left = -1;
  for (let sum = chance, k = 0; sum <= 0.025; left = k++) {
    chance *= (n - k) / (k + 1);
    sum += chance;
  }
  return { median, interval: left < 0 ? null : [sorted[left], sorted[n - 1 - left]] };
}
