/**
 * The best columns of each row and the best rows of each column of a product a·bᵀ, found in one pass without storing the
 * product. The reference multiplies block by block on the active backend; a backend with a kernel
 * of its own, which selects entries of the product while they are in cache, registers it here.
 */
import { finish, type Steps } from '../steps.ts';
import { tf } from '../tensor/tf.ts';
import { checkWidths, productBlockSteps, type BlockSize, type RowVectors } from './productBlocks.ts';
import { TopScores } from './topScores.ts';

export interface TopPairsRequest {
  readonly a: RowVectors;
  readonly b: RowVectors;
  /** Length of each row's list and of each column's list: at least 1, at most the number of its entries. */
  readonly perRow: number;
  readonly perColumn: number;
  /** [b.rows]: a row ranks columns by a_i·b_j − columnOffset_j; zeros when absent. */
  readonly columnOffset?: Float32Array;
  /** [a.rows]: a column ranks rows by a_i·b_j − rowOffset_i; zeros when absent. */
  readonly rowOffset?: Float32Array;
  readonly block?: BlockSize;
  /** Called with the number of rows done. */
  readonly progress?: (rows: number) => void;
}

export interface TopPairs {
  /** Owners are rows, scores a_i·b_j − columnOffset_j. */
  readonly byRow: TopScores;
  /** Owners are columns, scores a_i·b_j − rowOffset_i. */
  readonly byColumn: TopScores;
  /** [a.rows]: the largest a_i·b_j − columnOffset_j of each row, exact to the last bit, without the tolerance of the lists. */
  readonly best: Float32Array;
}

export type TopPairsKernel = (request: TopPairsRequest) => Steps<TopPairs>;

const kernels = new Map<string, TopPairsKernel>();

export function registerTopPairs(backend: string, kernel: TopPairsKernel): void {
  kernels.set(backend, kernel);
}

/** Finds the pairs by the active backend's kernel, or by the reference. The result is deterministic on each. Throws 'bad_input' for vectors of different lengths. */
export function topPairs(request: TopPairsRequest): TopPairs {
  return finish(topPairsSteps(request));
}

/** The same in steps, some rows of the product each. */
export function* topPairsSteps(request: TopPairsRequest): Steps<TopPairs> {
  checkWidths(request.a, request.b);
  return yield* (kernels.get(tf.getBackend()) ?? referenceSteps)(request);
}

export const topPairsReference = (request: TopPairsRequest): TopPairs => finish(referenceSteps(request));

function* referenceSteps(request: TopPairsRequest): Steps<TopPairs> {
  const { a, b, block, progress } = request;
  const byRow = new TopScores(a.rows, request.perRow);
  const byColumn = new TopScores(b.rows, request.perColumn);
  const best = new Float32Array(a.rows).fill(-Infinity);
  const columnOffset = request.columnOffset ?? new Float32Array(b.rows);
  const rowOffset = request.rowOffset ?? new Float32Array(a.rows);
  const columnBar = byColumn.bar;
  yield* productBlockSteps(
    a,
    b,
    ({ firstRow, rows, firstColumn, columns, values }) => {
      for (let i = 0, at = 0; i < rows; i++) {
        const row = firstRow + i;
        const mine = rowOffset[row];
        let rowBar = byRow.bar[row];
        for (let j = 0; j < columns; j++, at++) {
          const column = firstColumn + j;
          const value = Math.fround(values[at] - columnOffset[column]);
          if (value > rowBar) {
            if (value > best[row]) best[row] = value;
            byRow.insert(row, column, value);
            rowBar = byRow.bar[row];
          }
          const offer = Math.fround(values[at] - mine);
          if (offer > columnBar[column]) byColumn.insert(column, row, offer);
        }
      }
      if (firstColumn + columns === b.rows) progress?.(firstRow + rows);
    },
    block,
  );
  return { byRow, byColumn, best };
}
