/** How fast something rises: the median slope over all pairs of measurements (Theil and Sen), with an interval. */
import type { Estimate } from './medianInterval.ts';

/** Two-sided, of a normal distribution. */
const z95 = 1.96;

/**
 * The slope of `values` over `times` and its 95 % interval, which rests on the variance of Kendall's τ without ties: of n values,
 * n(n − 1)(2n + 5)/18 (Sen 1968, "Estimates of the regression coefficient based on Kendall's tau"). A few values far off don't
 * move it. The values must be independent but for the trend. No interval for fewer than 8 values. Throws a `RangeError` where
 * there are fewer than two, or times that are equal.
 */
export function slopeInterval(times: readonly number[], values: readonly number[]): Estimate {
  const n = values.length;
  const slopes: number[] = [];
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++) slopes.push((values[j] - values[i]) / (times[j] - times[i]));
  if (slopes.length === 0 || !slopes.every(Number.isFinite))
    throw new RangeError('a slope takes two values at different times');
  slopes.sort((a, b) => a - b);
  const last = slopes.length - 1;
  const median = (slopes[Math.floor(last / 2)] + slopes[Math.ceil(last / 2)]) / 2;
  if (n < 8) return { median, interval: null };
  const half = z95 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const from = Math.max(0, Math.floor((slopes.length - half) / 2) - 1);
  const to = Math.min(last, Math.ceil((slopes.length + half) / 2));
  return { median, interval: [slopes[from], slopes[to]] };
}
