/**
 * Chance, third kind: a dictionary turned at random, so that its rows stand to each other as they did and to the other
 * dictionary no longer. The rotation mixes directions of like variance only: it is a random orthogonal matrix within each
 * block of eigenvalues of the activations' covariance that differ by less than a factor of two (METHODS.md §7).
 */
import type { Random } from '../../numerics/random.ts';
import { tf } from '../../tensor/tf.ts';
import type { Directions } from '../directions.ts';
import { inEigenbasis, type Spectrum } from './activationSpectrum.ts';

/** `rows` [rows, d] turned, in the eigenbasis of `spectrum`. */
export function rotatedInBlocks(rows: Directions, spectrum: Spectrum, random: Random): Directions {
  const { d } = rows;
  const turn = new Float32Array(d * d);
  for (const [from, to] of eigenvalueBlocks(spectrum.eigenvalues)) {
    const block = randomOrthogonal(to - from, random);
    for (let i = from; i < to; i++)
      for (let j = from; j < to; j++) turn[i * d + j] = block[(i - from) * (to - from) + (j - from)];
  }
  const data = tf.tidy(() =>
    tf
      .matMul(tf.tensor2d(inEigenbasis(spectrum, rows.data), [rows.rows, d]), tf.tensor2d(turn, [d, d]))
      .dataSync<'float32'>(),
  );
  return { rows: rows.rows, d, data };
}

/** [from, to) of each block: eigenvalues above half of the block's first. */
export function eigenvalueBlocks(eigenvalues: Float64Array): [number, number][] {
  const blocks: [number, number][] = [];
  let from = 0;
  for (let k = 1; k <= eigenvalues.length; k++)
    if (k === eigenvalues.length || eigenvalues[k] <= eigenvalues[from] / 2) {
      // Zeros are one block, although none of them is above half of the first.
      if (eigenvalues[from] === 0) k = eigenvalues.length;
      blocks.push([from, k]);
      from = k;
    }
  return blocks;
}

/** A uniformly random orthogonal matrix [n, n]: Gaussian rows made orthonormal (Gram–Schmidt, twice for the digits). */
export function randomOrthogonal(n: number, random: Random): Float64Array {
  const q = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = q.subarray(i * n, (i + 1) * n);
    for (let k = 0; k < n; k++) row[k] = random.normal();
    for (let pass = 0; pass < 2; pass++)
      for (let j = 0; j < i; j++) {
        const other = q.subarray(j * n, (j + 1) * n);
        let dot = 0;
        for (let k = 0; k < n; k++) dot += row[k] * other[k];
        for (let k = 0; k < n; k++) row[k] -= dot * other[k];
      }
    let square = 0;
    for (let k = 0; k < n; k++) square += row[k] * row[k];
    const scale = 1 / Math.sqrt(square);
    for (let k = 0; k < n; k++) row[k] *= scale;
  }
  return q;
}
