/** The least of positive values, among which NaN counts as the largest; 0 where there is none. */
export function leastOf(values: Float32Array): number {
  let least = Infinity;
  for (const value of values) if (value < least) least = value;
  if (least < Infinity) return least;
  return values.length === 0 ? 0 : NaN;
}
