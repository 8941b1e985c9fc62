import type { Random } from '../numerics/random.ts';

/** Rows drawn uniformly from the sphere of the given radius, [rows, d]. */
export function randomRows(random: Random, rows: number, d: number, radius = 1): Float32Array {
  const out = random.normals(rows * d);
  for (let row = 0; row < rows; row++) {
    const own = out.subarray(row * d, (row + 1) * d);
    let square = 0;
    for (const value of own) square += value * value;
    const scale = radius / Math.sqrt(square);
    for (let j = 0; j < d; j++) own[j] *= scale;
  }
  return out;
}
