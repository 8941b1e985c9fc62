/** Sizes of decoder rows: the norm of an autoencoder's, the sum of the norms of a crosscoder's blocks (METHODS.md §1). */
import { tf, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';

/** The blocks of columns [rows, width] of a matrix; `blocks` are their ends, ascending. One where they are absent. */
export function blocksOf(rows: Tensor2D, blocks: Int32Array | undefined): Tensor2D[] {
  if (!blocks) return [rows];
  return Array.from(blocks, (end, l) => {
    const from = l === 0 ? 0 : blocks[l - 1];
    return rows.slice<Tensor2D>([0, from], [rows.shape[0], end - from]);
  });
}

/** Σ_l ‖w_i^l‖ [rows] over the blocks of each row; the norm of the row where there are none. Autodiff goes through it. */
export function rowSizes(rows: Tensor2D, blocks: Int32Array | undefined): Tensor1D {
  return tf.tidy(() =>
    tf.addN(blocksOf(rows, blocks).map((block) => block.square().sum<Tensor1D>(1).sqrt<Tensor1D>())),
  );
}

/** The gradient of the size of each row, row by row: each block of it over its norm. */
export function sizeNormals(rows: Tensor2D, blocks: Int32Array | undefined): Tensor2D {
  const parts = blocksOf(rows, blocks).map((block) =>
    block.div<Tensor2D>(block.norm('euclidean', 1, true).maximum(1e-30)),
  );
  return tf.concat2d(parts, 1);
}

/** A gradient without its part along each of `normals`, row by row. */
export function withoutParallel(gradient: Tensor2D, normals: Tensor2D): Tensor2D {
  const along = gradient.mul(normals).sum(1, true).div(normals.square().sum(1, true).maximum(1e-30));
  return gradient.sub(normals.mul(along));
}

/** Rows scaled to size 1. */
export function unitSizeRows(rows: Tensor2D, blocks: Int32Array | undefined): Tensor2D {
  return rows.div(rowSizes(rows, blocks).expandDims(1).maximum(1e-30));
}
