/**
 * The best columns of each row and the best rows of each column of a product a·bᵀ that is never kept, in one visit to
 * every entry. The reference multiplies block by block on whatever backend is active; a backend that has a kernel
 * of its own, which picks entries out of the product while they are in cache, registers it here.
 */
import { tf } from '../tensor/tf.ts';
import { checkWidths, forEachProductBlock, type BlockSize, type RowVectors } from './productBlocks.ts';
import { TopScores } from './topScores.ts';

export interface TopPairsRequest {
  readonly a: RowVectors;
  readonly b: RowVectors;
  /** Places in a row's list and in a column's, at least 1 and at most the entries there are. */
  readonly perRow: number;
  readonly perColumn: number;
  /** A row ranks columns by a_i·b_j − columnOffset_j; zeros when absent. [b.rows] */
  readonly columnOffset?: Float32Array;
  /** A column ranks rows by a_i·b_j − rowOffset_i; zeros when absent. [a.rows] */
  readonly rowOffset?: Float32Array;
  readonly block?: BlockSize;
  /** Told the rows done. */
  readonly progress?: (rows: number) => void;
}

export interface TopPairs {
  /** Owners are rows, scores a_i·b_j − columnOffset_j. */
  readonly byRow: TopScores;
  /** Owners are columns, scores a_i·b_j − rowOffset_i. */
  readonly byColumn: TopScores;
  /** The largest a_i·b_j − columnOffset_j of each row, to the last bit. [a.rows] */
  readonly best: Float32Array;
}

export type TopPairsKernel = (request: TopPairsRequest) => TopPairs;

const kernels = new Map<string, TopPairsKernel>();

export function registerTopPairs(backend: string, kernel: TopPairsKernel): void {
  kernels.set(backend, kernel);
}

/** By the active backend's kernel, or the reference. Deterministic on each. Throws 'bad_input' for vectors of different lengths. */
export function topPairs(request: TopPairsRequest): TopPairs {
  checkWidths(request.a, request.b);
  return (kernels.get(tf.getBackend()) ?? topPairsReference)(request);
}

export function topPairsReference(request: TopPairsRequest): TopPairs {
  const { a, b, block, progress } = request;
  const byRow = new TopScores(a.rows, request.perRow);
  const byColumn = new TopScores(b.rows, request.perColumn);
  const best = new Float32Array(a.rows).fill(-Infinity);
  const columnOffset = request.columnOffset ?? new Float32Array(b.rows);
  const rowOffset = request.rowOffset ?? new Float32Array(a.rows);
  const columnBar = byColumn.bar;
  forEachProductBlock(
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
