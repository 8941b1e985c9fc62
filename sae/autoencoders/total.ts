/** Σ values, or Σ values·weights, in double precision. */
export function total(values: ArrayLike<number>, weights?: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += weights ? values[i] * weights[i] : values[i];
  return sum;
}
