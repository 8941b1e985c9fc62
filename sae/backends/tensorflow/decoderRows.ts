/** Sizes of decoder rows by TensorFlow's own operation; a crosscoder's are sums over blocks (METHODS.md §1). */
import { blocksOf } from '../../ops/rowSizes.ts';
import { tf, type Tensor2D } from '../../tensor/tf.ts';
import type { Operations } from './operations.ts';

/** ‖w_i‖ of each row, or the sum of the norms of its blocks, [rows, 1]. */
export function sizesOf(operations: Operations, w: Tensor2D, blocks: Int32Array | undefined): Tensor2D {
  return tf.addN(blocksOf(w, blocks).map((block) => operations.rowNorms(block)));
}

/** The gradient of the size of each row: each block of it over its norm. */
export function normalsOf(operations: Operations, w: Tensor2D, blocks: Int32Array | undefined): Tensor2D {
  const parts = blocksOf(w, blocks).map((block) =>
    block.div<Tensor2D>(operations.rowNorms(block).maximum(1e-30)),
  );
  return parts.length === 1 ? parts[0] : tf.concat2d(parts, 1);
}
