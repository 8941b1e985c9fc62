/**
 * mean + std · `quantile` of the values: above it lies the share of them that is above that quantile of the standard normal
 * distribution, if they are normally distributed. The standard deviation is the sample's (n − 1).
 */
export function normalThreshold(values: Float32Array, quantile: number): number {
  const n = values.length;
  let mean = 0;
  for (const x of values) mean += x / n;
  let squares = 0;
  for (const x of values) squares += (x - mean) ** 2;
  const std = Math.sqrt(squares / (n - 1));
  // With a standard deviation of 0 the formula could give 0 · ∞.
  return std === 0 ? mean : mean + std * quantile;
}
