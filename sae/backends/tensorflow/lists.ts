/** What the fused kernels of the tensorflow backend do with lists of entries: find them in blocks of pre-activations, sort them, decode them. */
import type { Encoder } from '../../ops/fusedKernels.ts';
import { preActivations } from '../../ops/denseActivations.ts';
import type { SparseEntries } from '../../ops/sparseEntries.ts';
import {
  tf,
  type Scalar,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
} from '../../tensor/tf.ts';
import { rowBlocks } from '../webgpu/rowBlocks.ts';
import type { Operations, SparseMatrix } from './operations.ts';

/** Entries of a batch, in the order of rows and, in a row, of latents. */
export interface FoundEntries {
  row: Tensor1D; // int32 [entries]
  latent: Tensor1D; // int32 [entries]
  values: Tensor1D; // float32 [entries]
}

/**
 * Calls `visit` with the pre-activations z of each block of rows of at most `bytes`, in order, and collects what it returns. There are two blocks at
 * least, so that a visitor that makes two more matrices of each holds less than two of the whole batch.
 */
export function eachBlock<T extends Tensor[]>(
  x: Tensor2D,
  encoder: Encoder,
  bytes: number,
  visit: (z: Tensor2D, firstRow: number) => T,
): T[] {
  const [rows, d] = x.shape;
  const size = Math.max(1, Math.min(Math.ceil(rows / 2), Math.floor(bytes / (4 * encoder.wEnc.shape[0]))));
  return [...rowBlocks(rows, size)].map((block) =>
    tf.tidy(() =>
      visit(preActivations(x.slice([block.firstRow, 0], [block.rows, d]), encoder), block.firstRow),
    ),
  );
}

/** Joins the parts of each kind along their first axis. */
export function joined<T extends Tensor[]>(parts: readonly T[]): T {
  return parts[0].map((_, i) =>
    parts.length === 1 ? parts[0][i] : tf.concat(parts.map((part) => part[i])),
  ) as T;
}

/** The places in z [rows, latents] of a block at which `condition` holds, and the values of `from` there. */
export function listed(
  operations: Operations,
  condition: Tensor2D,
  from: Tensor2D,
  firstRow: number,
): [row: Tensor1D, latent: Tensor1D, values: Tensor1D] {
  const places = operations.where(condition);
  const values = tf.gatherND(from, places) as Tensor1D;
  const [row, latent] = tf.unstack(places, 1) as Tensor1D[];
  return [firstRow === 0 ? row : row.add<Tensor1D>(tf.scalar(firstRow, 'int32')), latent, values];
}

/** Sorts the last axis of an int32 tensor. */
export function ascending<T extends Tensor>(operations: Operations, x: T): T {
  const length = x.shape[x.shape.length - 1];
  if (length === 0) return x.clone();
  return tf.neg(operations.topK(tf.neg(x), length, true)[0]) as T;
}

/** int32 [rows + 1] of entries whose rows are `row`. */
export function rowStarts(operations: Operations, row: Tensor1D, rows: number): Tensor1D {
  const counts = operations.segmentSum<Tensor1D>(tf.onesLike(row), row, rows);
  return tf.concat([tf.tensor1d([0], 'int32'), tf.cumsum(counts)]);
}

/** int32 [entries]: the row of each entry. */
export function rowsOf(operations: Operations, { rowStart, indices }: SparseEntries): Tensor1D {
  const entry = tf.range(0, indices.shape[0], 1, 'int32');
  return tf.sub(operations.countBelow(rowStart, entry), tf.scalar(1, 'int32'));
}

/** The entries as a matrix [rows, latents], with other values where they are given. */
export function asMatrix(
  operations: Operations,
  entries: SparseEntries,
  values = entries.values,
): SparseMatrix {
  const { rows, latents, indices } = entries;
  return { rows, columns: latents, row: rowsOf(operations, entries), column: indices, values };
}

/** Where entries fire, boolean [entries]: z > θ of their latent, or NaN. */
export function firingOf({ indices, values }: SparseEntries, threshold: Tensor1D | null): Tensor1D {
  const theta: Tensor = threshold ? tf.gather(threshold, indices) : tf.scalar(0);
  return tf.logicalOr<Tensor1D>(tf.greater(values, theta), tf.isNaN(values));
}

/** [entries]: z where an entry fires, 0 elsewhere. */
export function activationsOf(
  operations: Operations,
  entries: SparseEntries,
  threshold: Tensor1D | null,
): Tensor1D {
  return operations.select(firingOf(entries, threshold), entries.values, tf.scalar(0));
}

/** Bytes of rows of a matrix that are gathered at once. */
const gatheredBytes = 2 ** 25;

/** [entries]: g_row · W_latent, in pieces of entries. */
export function dotsAt(row: Tensor1D, latent: Tensor1D, g: Tensor2D, w: Tensor2D): Tensor1D {
  const [entries] = latent.shape;
  if (entries === 0) return tf.zeros([0]);
  const size = Math.max(1, Math.floor(gatheredBytes / (4 * w.shape[1])));
  const pieces = [...rowBlocks(entries, size)].map(({ firstRow, rows }) =>
    tf.tidy(() => {
      const left = tf.gather(g, row.slice(firstRow, rows));
      const right = tf.gather(w, latent.slice(firstRow, rows));
      return left.mul(right).sum<Tensor1D>(1);
    }),
  );
  return pieces.length === 1 ? pieces[0] : tf.concat(pieces);
}

/**
 * Reconstruction errors f·W + bias − target and the dots of the errors with the rows of W, for lists that have k entries in every row: each
 * row of W is read once for both.
 */
export function reconstructUniform(
  k: number,
  { indices, f }: { indices: Tensor1D; f: Tensor1D },
  w: Tensor2D,
  offset: Tensor2D, // bias − target [rows, d]
): { error: Tensor2D; dots: Tensor1D } {
  const [rows, d] = offset.shape;
  const size = Math.max(1, Math.floor(gatheredBytes / (4 * k * d)));
  const parts = [...rowBlocks(rows, size)].map((block) =>
    tf.tidy((): [Tensor2D, Tensor1D] => {
      const [first, count] = [block.firstRow * k, block.rows * k];
      const chosen = tf.gather(w, indices.slice(first, count)).reshape<Tensor3D>([block.rows, k, d]);
      const weights = f.slice(first, count).reshape<Tensor3D>([block.rows, 1, k]);
      const decoded = tf.matMul(weights, chosen).reshape<Tensor2D>([block.rows, d]);
      const error = decoded.add<Tensor2D>(offset.slice([block.firstRow, 0], [block.rows, d]));
      const dots = tf.matMul(chosen, error.reshape<Tensor3D>([block.rows, d, 1])).reshape<Tensor1D>([count]);
      return [error, dots];
    }),
  );
  const [error, dots] = joined(parts);
  return { error, dots };
}

/** The least of positive values, among which NaN counts as the largest; 0 where there is none. */
export function leastValue(operations: Operations, values: Tensor1D): Scalar {
  if (values.shape[0] === 0) return tf.scalar(0);
  const ranked = operations.select<Tensor1D>(tf.isNaN(values), tf.scalar(Infinity), values);
  const least = ranked.min<Scalar>();
  return operations.select(tf.isInf(least), tf.scalar(NaN), least);
}
