/** Σ_b ‖x − x̄‖² of rows [batch, d], x̄ their mean; in double precision. */
export function varianceAboutMean(rows: ArrayLike<number>, d: number): number {
  const count = rows.length / d;
  const mean = new Float64Array(d);
  for (let at = 0; at < rows.length; at += d) for (let j = 0; j < d; j++) mean[j] += rows[at + j];
  for (let j = 0; j < d; j++) mean[j] /= count;
  let sum = 0;
  for (let at = 0; at < rows.length; at += d)
    for (let j = 0; j < d; j++) {
      const offset = rows[at + j] - mean[j];
      sum += offset * offset;
    }
  return sum;
}
