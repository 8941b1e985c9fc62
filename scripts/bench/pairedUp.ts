/** A one-to-one matching of two made-up dictionaries, in place of one that takes minutes to find. */
import type { Counterparts } from '../../sae/comparison/counterparts.ts';
import type { Directions } from '../../sae/comparison/directions.ts';

/** The planted pairs, and the latents without a counterpart with one another, in their order; both dictionaries have as many latents. */
export function pairedUp(a: Directions, b: Directions, planted: Int32Array): Counterparts {
  const taken = new Set(planted);
  const free = Array.from({ length: b.rows }, (_, j) => j).filter((j) => !taken.has(j));
  let next = 0;
  const match = planted.map((j) => (j >= 0 ? j : free[next++]));
  const cosine = new Float64Array(a.rows);
  for (let i = 0; i < a.rows; i++)
    for (let k = 0, p = i * a.d, q = match[i] * a.d; k < a.d; k++, p++, q++)
      cosine[i] += a.data[p] * b.data[q];
  return { match, cosine };
}
