/**
 * Cosines between the rows of two dictionaries, one block of the matrix at a time on the active backend, so that
 * whoever needs all of them (a dense matching, a search for candidates, a check of prices) chooses what to keep.
 */
import { LazyscopeError } from '../errors.ts';
import { tf } from '../tensor/tf.ts';

/** Directions in latent-major order: data [rows, d]. */
export interface Directions {
  readonly rows: number;
  readonly d: number;
  readonly data: Float32Array;
}

/** A block of the cosine matrix: values [rows, columns], starting at (firstRow, firstColumn). */
export interface CosineBlock {
  readonly firstRow: number;
  readonly rows: number;
  readonly firstColumn: number;
  readonly columns: number;
  readonly values: Float32Array;
}

export interface BlockSize {
  /** Rows of `a` and of `b` in one product; memory is 4 · rows · columns bytes a block. */
  rows?: number;
  columns?: number;
}

/**
 * Rows scaled to unit norm. A row of zeros has no direction and stays zero: its cosine with everything is 0.
 * Throws 'corrupt' for a row that is not finite, naming it as a row of `what`.
 */
export function unitRows({ rows, d, data }: Directions, what: string): Directions {
  const out = new Float32Array(rows * d);
  for (let i = 0; i < rows; i++) {
    let sum = 0;
    for (let k = 0, at = i * d; k < d; k++, at++) sum += data[at] * data[at];
    if (!Number.isFinite(sum))
      throw new LazyscopeError(
        'corrupt',
        `Row ${i} of ${what} holds numbers that are not finite: train that dictionary again.`,
      );
    const scale = sum > 0 ? 1 / Math.sqrt(sum) : 0;
    for (let k = 0, at = i * d; k < d; k++, at++) out[at] = data[at] * scale;
  }
  return { rows, d, data: out };
}

/**
 * Calls `visit` with each block of a·bᵀ, rows of blocks from the top, each from the left. Both sides must have unit
 * rows for the values to be cosines. The block's memory is the visitor's only until it returns.
 */
export function forEachCosineBlock(
  a: Directions,
  b: Directions,
  visit: (block: CosineBlock) => void,
  size: BlockSize = {},
): void {
  if (a.d !== b.d)
    throw new LazyscopeError(
      'bad_input',
      `Dictionaries of width ${a.d} and ${b.d} have no cosines: compare runs on activations of one width.`,
    );
  const { d } = a;
  const blockRows = size.rows ?? 512;
  const blockColumns = size.columns ?? 8192;
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
  }
}

/** The whole matrix [a.rows, b.rows], for sizes at which it fits. */
export function cosineMatrix(a: Directions, b: Directions): Float32Array {
  const out = new Float32Array(a.rows * b.rows);
  forEachCosineBlock(a, b, ({ firstRow, rows, firstColumn, columns, values }) => {
    for (let i = 0; i < rows; i++)
      out.set(values.subarray(i * columns, (i + 1) * columns), (firstRow + i) * b.rows + firstColumn);
  });
  return out;
}
