import type { SparseCode } from '../autoencoders/autoencoder.ts';

/** The entries of a code whose latent is 1 in `among` [latents]. */
export function restrictedCode(
  { rows, rowStart, indices, values }: SparseCode,
  among: Uint8Array,
): SparseCode {
  const start = new Int32Array(rows + 1);
  const index = new Int32Array(indices.length);
  const value = new Float32Array(indices.length);
  let out = 0;
  for (let row = 0; row < rows; row++) {
    for (let e = rowStart[row]; e < rowStart[row + 1]; e++) {
      if (among[indices[e]] === 0) continue;
      index[out] = indices[e];
      value[out++] = values[e];
    }
    start[row + 1] = out;
  }
  return { rows, rowStart: start, indices: index.slice(0, out), values: value.slice(0, out) };
}
