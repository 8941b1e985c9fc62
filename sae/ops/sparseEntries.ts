/**
 * The output of an encoder, in one form for all architectures: for each row of the batch a list of
 * (latent, pre-activation z). The activation is `f = z where z > θ, else 0` with θ = 0 for ReLU and TopK, so a
 * list may hold entries that don't fire: TopK's padding when fewer than k latents are positive, and the entries
 * of JumpReLU just below θ, which the straight-through estimator still needs. NaN counts as firing, so that it
 * reaches the loss and is noticed.
 *
 * Where so many latents fire that a list would be slower, the entries are `dense` and hold every pre-activation; kernels accept both.
 */
import { tf, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import { type Computed, disposeComputed } from './computed.ts';

/**
 * How many entries an encoder found, and for which counts the form it chose is the right one. A device that was given an expected
 * count chooses the form before it knows the true one. If the true count is outside the range, a list is truncated (`rowStart` never
 * exceeds the length of `indices`), results computed from the entries are invalid, and the update leaves all parameters as they were.
 */
export interface Listed {
  readonly count: Computed;
  readonly least: number;
  readonly most: number;
}

export interface SparseEntries {
  readonly kind: 'sparse';
  readonly rows: number;
  readonly latents: number;
  /** int32 [rows + 1]: entries of row b are rowStart[b] … rowStart[b + 1] − 1. */
  readonly rowStart: Tensor1D;
  /** int32 [entries], ascending within a row; may be longer than the last rowStart if the count was estimated. */
  readonly indices: Tensor1D;
  /** float32 [entries], like `indices`. */
  readonly values: Tensor1D;
  /** Present where the form was chosen by an estimate of the count; absent where the count was known. */
  readonly listed?: Listed;
}

export interface DenseEntries {
  readonly kind: 'dense';
  readonly rows: number;
  readonly latents: number;
  /** Every pre-activation, float32 [rows, latents]. */
  readonly values: Tensor2D;
  readonly listed?: Listed;
}

export type Entries = SparseEntries | DenseEntries;

export function sparseEntries(
  latents: number,
  rowStart: Int32Array,
  indices: Int32Array,
  values: Float32Array,
): SparseEntries {
  return {
    kind: 'sparse',
    rows: rowStart.length - 1,
    latents,
    rowStart: tf.tensor1d(rowStart, 'int32'),
    indices: tf.tensor1d(indices, 'int32'),
    values: tf.tensor1d(values),
  };
}

export function disposeEntries(entries: Entries): void {
  entries.values.dispose();
  disposeComputed(entries.listed?.count ?? 0);
  if (entries.kind === 'dense') return;
  entries.rowStart.dispose();
  entries.indices.dispose();
}

/** A dense matrix [rows, latents] of the entries' values, or of `values` [entries], with `absent` where there is no entry. */
export function denseFromEntries(
  entries: SparseEntries,
  absent: number,
  values: Tensor1D = entries.values,
): Tensor2D {
  const { rows, latents } = entries;
  const dense = new Float32Array(rows * latents).fill(absent);
  const [rowStart, indices, data] = [
    entries.rowStart.dataSync(),
    entries.indices.dataSync(),
    values.dataSync(),
  ];
  for (let row = 0; row < rows; row++)
    for (let e = rowStart[row]; e < rowStart[row + 1]; e++) dense[row * latents + indices[e]] = data[e];
  return tf.tensor2d(dense, [rows, latents]);
}

/** The entries that fire (z > θ) as a list, from entries of either form. Disposes `found`. */
export function firingEntries(found: Entries, threshold: Tensor1D | null): SparseEntries {
  const { rows, latents } = found;
  const theta = threshold?.dataSync();
  const fires = (z: number, latent: number) => z > (theta ? theta[latent] : 0) || Number.isNaN(z);
  const values = found.values.dataSync<'float32'>();
  const starts = found.kind === 'sparse' ? found.rowStart.dataSync<'int32'>() : null;
  const places = found.kind === 'sparse' ? found.indices.dataSync<'int32'>() : null;
  let count = 0;
  const visit = (keep: (row: number, latent: number, z: number) => void) => {
    for (let row = 0; row < rows; row++) {
      const end = starts ? starts[row + 1] : (row + 1) * latents;
      for (let e = starts ? starts[row] : row * latents; e < end; e++) {
        const latent = places ? places[e] : e - row * latents;
        if (fires(values[e], latent)) keep(row, latent, values[e]);
      }
    }
  };
  visit(() => count++);
  const rowStart = new Int32Array(rows + 1);
  const indices = new Int32Array(count);
  const kept = new Float32Array(count);
  let at = 0;
  visit((row, latent, z) => {
    indices[at] = latent;
    kept[at++] = z;
    rowStart[row + 1] = at;
  });
  for (let row = 0; row < rows; row++) rowStart[row + 1] = Math.max(rowStart[row + 1], rowStart[row]);
  disposeEntries(found);
  return sparseEntries(latents, rowStart, indices, kept);
}
