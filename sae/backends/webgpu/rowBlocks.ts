import { tf, type Tensor2D } from '../../tensor/tf.ts';

/** Rows of a batch, from `firstRow` on. */
export type RowBlock = {
  readonly rows: number;
  readonly firstRow: number;
};

/** Visits blocks of at most `size` rows of x [batch, d], first to last. */
export function eachRowBlock(
  x: Tensor2D,
  size: number,
  visit: (part: Tensor2D, block: RowBlock) => void,
): void {
  const [all, d] = x.shape;
  for (let firstRow = 0; firstRow < all; firstRow += size) {
    const rows = Math.min(size, all - firstRow);
    visit(rows === all ? x : tf.slice(x, [firstRow, 0], [rows, d]), { rows, firstRow });
  }
}
