/**
 * Matching pursuit (Costa et al., 2506.03093, §3, as SAELens has it in saes/matching_pursuit_sae.py; METHODS.md §1). The
 * dictionary has no encoder: what is left of an activation, at first r = x − b_dec, is explained latent by latent. Each time
 * the latent i with the largest W_dec,i·r is added with that value, and r ← r − value·W_dec,i; a latent may be chosen again.
 */
import { fusedKernels } from '../ops/kernelTable.ts';
import { disposeEntries, sparseEntries, type SparseEntries } from '../ops/sparseEntries.ts';
import type { Pursuit } from '../spec/architectures/matchingpursuit.ts';
import { tf, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';

/** The latents of x [rows, d] and their values, where `centre` is b_dec [d]. */
export function matchingPursuitEncode(
  x: Tensor2D,
  { wDec, centre }: { readonly wDec: Tensor2D; readonly centre: Tensor1D | null },
  { residualThreshold, maxIterations, stopsOnRepeat }: Pursuit,
): SparseEntries {
  const kernels = fusedKernels();
  const [rows] = x.shape;
  const [latents] = wDec.shape;
  const zeros = tf.zeros([latents]) as Tensor1D;
  const found = Array.from({ length: rows }, () => new Map<number, number>());
  const done = new Uint8Array(rows);
  let residual = centre ? x.sub<Tensor2D>(centre) : x.clone();
  for (let iteration = 0; iteration < maxIterations && done.includes(0); iteration++) {
    // One entry a row, 0 where nothing is positive.
    const best = kernels.topKEncode(residual, { wEnc: wDec, bEnc: zeros, centre: null }, 1);
    const [indices, values] = [best.indices.dataSync<'int32'>(), best.values.dataSync<'float32'>()];
    disposeEntries(best);
    const added = values.map((value, row) => (done[row] ? 0 : value));
    for (let row = 0; row < rows; row++) {
      if (done[row]) continue;
      const [latent, value] = [indices[row], added[row]];
      const before = found[row].get(latent);
      if (value !== 0) found[row].set(latent, (before ?? 0) + value);
      if (stopsOnRepeat && (value === 0 || before !== undefined)) done[row] = 1;
    }
    const ends = Int32Array.from({ length: rows + 1 }, (_, row) => row);
    const entries = sparseEntries(latents, ends, indices, added);
    const left = tf.tidy(() => residual.sub<Tensor2D>(kernels.sparseDecode(entries, wDec)));
    disposeEntries(entries);
    residual.dispose();
    residual = left;
    if (residualThreshold <= 0) continue;
    const norms = tf.tidy(() => residual.norm('euclidean', 1).dataSync());
    for (let row = 0; row < rows; row++) if (norms[row] < residualThreshold) done[row] = 1;
  }
  tf.dispose([residual, zeros]);
  const ordered = found.map((latentsOfRow) => [...latentsOfRow].sort(([a], [b]) => a - b));
  const rowStart = new Int32Array(rows + 1);
  ordered.forEach((each, row) => (rowStart[row + 1] = rowStart[row] + each.length));
  const flat = ordered.flat();
  return sparseEntries(
    latents,
    rowStart,
    Int32Array.from(flat, ([latent]) => latent),
    Float32Array.from(flat, ([, value]) => value),
  );
}
