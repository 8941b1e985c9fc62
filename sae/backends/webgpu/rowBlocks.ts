import { tf, type Tensor2D } from '../../tensor/tf.ts';

/** Rows of a batch, from `firstRow` on. */
export type RowBlock = { readonly rows: number; readonly firstRow: number };

/** Blocks of at most `size` of `all` rows, first to last. */
export function* rowBlocks(all: number, size: number): Generator<RowBlock> {
  for (let firstRow = 0; firstRow < all; firstRow += size)
    yield { rows: Math.min(size, all - firstRow), firstRow };
}

/** Those rows of x [batch, d]: x itself if they are all. */
export function rowsOf(x: Tensor2D, { rows, firstRow }: RowBlock): Tensor2D {
  const [all, d] = x.shape;
  return rows === all ? x : tf.slice(x, [firstRow, 0], [rows, d]);
}
