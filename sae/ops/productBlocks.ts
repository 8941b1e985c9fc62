/**
 * The product a·bᵀ of two tall matrices, computed one block at a time on the active backend, for results that are too large for
 * memory and of which the visitor keeps a part.
 */
import { LazyscopeError } from '../errors.ts';
import { finish, type Steps } from '../steps.ts';
import { tf } from '../tensor/tf.ts';

/** Row vectors, row-major: data [rows, d]. */
export interface RowVectors {
  readonly rows: number;
  readonly d: number;
  readonly data: Float32Array;
}

/** A block of a·bᵀ: values [rows, columns], starting at (firstRow, firstColumn). */
export interface ProductBlock {
  readonly firstRow: number;
  readonly rows: number;
  readonly firstColumn: number;
  readonly columns: number;
  readonly values: Float32Array;
}

export interface BlockSize {
  /** Rows of `a` and of `b` in one block; a block takes 4 · rows · columns bytes. */
  rows?: number;
  columns?: number;
}

export const defaultBlock = { rows: 512, columns: 8192 } as const satisfies Required<BlockSize>;

/**
 * Calls `visit` with each block, from the top row of blocks down and from left to right in each row. The block's memory is reused
 * once the visitor returns. Throws 'bad_input' for vectors of different lengths.
 */
export function forEachProductBlock(
  a: RowVectors,
  b: RowVectors,
  visit: (block: ProductBlock) => void,
  size: BlockSize = {},
): void {
  finish(productBlockSteps(a, b, visit, size));
}

/** The same in steps, a block each. */
export function* productBlockSteps(
  a: RowVectors,
  b: RowVectors,
  visit: (block: ProductBlock) => void,
  size: BlockSize = {},
): Steps<void> {
  checkWidths(a, b);
  const { d } = a;
  const { rows: blockRows, columns: blockColumns } = { ...defaultBlock, ...size };
  for (let firstRow = 0; firstRow < a.rows; firstRow += blockRows) {
    const rows = Math.min(blockRows, a.rows - firstRow);
    const left = tf.tensor2d(a.data.subarray(firstRow * d, (firstRow + rows) * d), [rows, d]);
    for (let firstColumn = 0; firstColumn < b.rows; firstColumn += blockColumns) {
      const columns = Math.min(blockColumns, b.rows - firstColumn);
      const right = tf.tensor2d(b.data.subarray(firstColumn * d, (firstColumn + columns) * d), [columns, d]);
      const product = tf.matMul(left, right, false, true);
      const values = product.dataSync<'float32'>();
      tf.dispose([right, product]);
      visit({ firstRow, rows, firstColumn, columns, values });
    }
    left.dispose();
    yield;
  }
}

export function checkWidths(a: RowVectors, b: RowVectors): void {
  if (a.d === b.d) return;
  throw new LazyscopeError(
    'bad_input',
    `Vectors of width ${a.d} and ${b.d} have no products: compare dictionaries of activations of one width.`,
  );
}
