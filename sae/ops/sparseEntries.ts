/**
 * What an encoder lets through, in the one form that all architectures reduce to: per row of the batch a list of
 * (latent, pre-activation z). The activation is `f = z where z > θ, else 0` with θ = 0 for ReLU and TopK, so a
 * list may hold entries that don't fire: TopK's padding when fewer than k latents are positive, and the entries
 * of JumpReLU just below θ, which the straight-through estimator still needs. NaN counts as firing, so that it
 * reaches the loss instead of hiding.
 *
 * When too many latents fire for a list to pay, `dense` holds every pre-activation instead; the kernels accept both.
 */
import { tf, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import { type Computed, disposeComputed } from './computed.ts';

/**
 * How many entries an encoder found, and for which numbers the form it chose is the right one. A device that was told
 * what to expect chooses before it knows: where the number lies outside, a list is cut short (`rowStart` never leads
 * beyond `indices`), nothing made of the entries counts, and the update leaves everything as it was.
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
  /** int32 [entries], ascending within a row; longer than rowStart says where the number was only guessed. */
  readonly indices: Tensor1D;
  /** float32 [entries], like `indices`. */
  readonly values: Tensor1D;
  /** Left out where it was never in question. */
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

/** [rows, latents] with `absent` where a row has no entry for a latent. `values` may replace the entries' own. */
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

/** The entries that fire (z > θ), as a list, whatever form they came in. Disposes `found`. */
export function firingEntries(found: Entries, threshold: Tensor1D | null): SparseEntries {
  const { rows, latents } = found;
  const theta = threshold?.dataSync();
  const fires = (z: number, latent: number) => !(z <= (theta ? theta[latent] : 0));
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
