/**
 * The point with the least sum of distances to the rows, by Weiszfeld's iteration (1937), in double precision.
 * Unlike the mean, a few rows of enormous norm don't move it.
 */
export function geometricMedian(
  rows: Float32Array,
  d: number,
  iterations = 100,
  tolerance = 1e-6,
): Float32Array {
  const count = rows.length / d;
  let median = new Float64Array(d);
  for (let i = 0; i < rows.length; i++) median[i % d] += rows[i] / count;
  for (let iteration = 0; iteration < iterations; iteration++) {
    const next = new Float64Array(d);
    let weights = 0;
    for (let row = 0; row < count; row++) {
      let square = 0;
      for (let j = 0; j < d; j++) square += (rows[row * d + j] - median[j]) ** 2;
      // A row that is the median itself would weigh infinitely; the floor is far below any real distance.
      const weight = 1 / Math.max(Math.sqrt(square), 1e-12);
      weights += weight;
      for (let j = 0; j < d; j++) next[j] += weight * rows[row * d + j];
    }
    let moved = 0;
    let size = 0;
    for (let j = 0; j < d; j++) {
      next[j] /= weights;
      moved += (next[j] - median[j]) ** 2;
      size += next[j] ** 2;
    }
    median = next;
    if (moved <= tolerance ** 2 * size) break;
  }
  return Float32Array.from(median);
}
