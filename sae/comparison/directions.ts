/** Directions of a dictionary's latents, and the cosines between those of two. */
import { LazyscopeError } from '../errors.ts';
import { productBlockSteps, type RowVectors } from '../ops/productBlocks.ts';
import { finish, type Steps } from '../steps.ts';

/** One unit vector for each latent, data [rows, d], so that dot products are cosines. */
export type Directions = RowVectors;

/**
 * Rows scaled to unit norm. A row of zeros has no direction and stays zero: its cosine with everything is 0.
 * Throws 'corrupt' for a row that is not finite, naming it as a row of `what`.
 */
export function unitRows({ rows, d, data }: Directions, what: string): Directions {
  const out = new Float32Array(rows * d);
  for (let i = 0; i < rows; i++) {
    let sum = 0;
    for (let k = 0, at = i * d; k < d; k++, at++) sum += data[at] * data[at];
    if (!Number.isFinite(sum))
      throw new LazyscopeError(
        'corrupt',
        `Row ${i} of ${what} holds numbers that are not finite: train that dictionary again.`,
      );
    const scale = sum > 0 ? 1 / Math.sqrt(sum) : 0;
    for (let k = 0, at = i * d; k < d; k++, at++) out[at] = data[at] * scale;
  }
  return { rows, d, data: out };
}

/** The whole matrix of cosines [a.rows, b.rows], for sizes at which it fits into memory. */
export const cosineMatrix = (a: Directions, b: Directions): Float32Array => finish(cosineSteps(a, b));

export function* cosineSteps(a: Directions, b: Directions): Steps<Float32Array> {
  const out = new Float32Array(a.rows * b.rows);
  yield* productBlockSteps(a, b, ({ firstRow, rows, firstColumn, columns, values }) => {
    for (let i = 0; i < rows; i++)
      out.set(values.subarray(i * columns, (i + 1) * columns), (firstRow + i) * b.rows + firstColumn);
  });
  return out;
}

/** The rows with the given indices, in the given order. */
export function gather({ d, data }: Directions, rows: readonly number[]): Directions {
  const out = new Float32Array(rows.length * d);
  rows.forEach((row, i) => out.set(data.subarray(row * d, (row + 1) * d), i * d));
  return { rows: rows.length, d, data: out };
}
