/**
 * The exact maximum-weight matching of a dense matrix: the reference every faster or sparser solver of this
 * folder is held to, and the solver of comparisons up to a few thousand latents.
 *
 * Method: Jonker & Volgenant (Computing 38, 1987), shortest augmenting paths on reduced weights, after their
 * augmenting row reduction. Their column reduction is left out: it gives unmatched columns a non-zero price,
 * which is wrong when the matrix is not square. Time O(n³) at worst; on cosine matrices far less.
 */
import { LazyscopeError } from '../errors.ts';
import { finish, type Steps } from '../steps.ts';

/** Row-major weights [rows, columns]. */
export interface WeightMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array | Float64Array;
}

export interface Assignment {
  /** The column of each row; −1 where the row has none (only when there are more rows than columns). */
  readonly rowToColumn: Int32Array;
  /** The row of each column; −1 where the column has none. */
  readonly columnToRow: Int32Array;
  /** Dual prices: rowPrices[i] + columnPrices[j] ≥ weight[i, j], with equality on matched pairs. */
  readonly rowPrices: Float64Array;
  readonly columnPrices: Float64Array;
  /** Sum of the matched weights. */
  readonly weight: number;
  /** Sum of all prices: no perfect matching weighs more. Equals `weight` up to rounding. */
  readonly bound: number;
}

/**
 * The maximum-weight matching that covers every row or every column, whichever are fewer (the perfect matching of
 * the matrix padded to a square with zeros: padding weighs the same wherever it goes, so it changes nothing, and
 * it is never materialised). Weights may be negative, tied or duplicated; the result is deterministic.
 *
 * Throws 'bad_input' for a weight that is not finite or a matrix without entries.
 */
export function assign(matrix: WeightMatrix): Assignment {
  return finish(assignmentSteps(matrix));
}

export function* assignmentSteps(matrix: WeightMatrix): Steps<Assignment> {
  checkMatrix(matrix);
  if (matrix.rows <= matrix.columns) return yield* assignRows(matrix);
  const turned = yield* assignRows(transpose(matrix));
  return {
    rowToColumn: turned.columnToRow,
    columnToRow: turned.rowToColumn,
    rowPrices: turned.columnPrices,
    columnPrices: turned.rowPrices,
    weight: turned.weight,
    bound: turned.bound,
  };
}

function checkMatrix({ rows, columns, data }: WeightMatrix): void {
  if (rows < 1 || columns < 1 || data.length !== rows * columns)
    throw new LazyscopeError(
      'bad_input',
      `A matching needs a matrix of at least 1 × 1 with all its entries, but got ${rows} × ${columns} with ${data.length} weights.`,
    );
  for (let at = 0; at < data.length; at++) {
    if (Number.isFinite(data[at])) continue;
    throw new LazyscopeError(
      'bad_input',
      `The weight of row ${Math.floor(at / columns)}, column ${at % columns} is ${data[at]}: a matching needs finite weights.`,
    );
  }
}

/** Solves a matrix with rows ≤ columns, where every row gets a column; `assign` transposes the others. */
function* assignRows(matrix: WeightMatrix): Steps<Assignment> {
  const { rows, columns, data } = matrix;
  const rowToColumn = new Int32Array(rows).fill(-1);
  const columnToRow = new Int32Array(columns).fill(-1);
  // A column's price rises only when the column is taken, and a taken column stays taken, so an unmatched
  // column keeps price 0: the condition that makes the rectangular dual a bound.
  const columnPrices = new Float64Array(columns);

  const free = yield* reduceRows(matrix, rowToColumn, columnToRow, columnPrices);
  const rowPrices = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const j = rowToColumn[i];
    rowPrices[i] = j >= 0 ? data[i * columns + j] - columnPrices[j] : bestOfRow(matrix, i, columnPrices);
  }
  yield* augmentAll(matrix, free, { rowToColumn, columnToRow, rowPrices, columnPrices });

  let weight = 0;
  let bound = 0;
  for (let i = 0; i < rows; i++) {
    weight += data[i * columns + rowToColumn[i]];
    bound += rowPrices[i];
  }
  for (let j = 0; j < columns; j++) bound += columnPrices[j];
  return { rowToColumn, columnToRow, rowPrices, columnPrices, weight, bound };
}

function bestOfRow({ columns, data }: WeightMatrix, row: number, prices: Float64Array): number {
  let best = -Infinity;
  for (let j = 0, at = row * columns; j < columns; j++, at++) {
    const value = data[at] - prices[j];
    if (value > best) best = value;
  }
  return best;
}

/**
 * Augmenting row reduction: each free row takes its best column and raises that column's price to the point of
 * indifference with its second best; the displaced row goes next. Returns the rows still free.
 *
 * In floating point a tie can make two rows displace each other by ever smaller raises, so the number of steps is bounded. Rows
 * that are still free then are matched by shortest augmenting paths, which are exact whatever they start from.
 */
function* reduceRows(
  { rows, columns, data }: WeightMatrix,
  rowToColumn: Int32Array,
  columnToRow: Int32Array,
  prices: Float64Array,
): Steps<number[]> {
  let free = Array.from({ length: rows }, (_, i) => i);
  for (let pass = 0; pass < 3 && free.length > 0; pass++) {
    const later: number[] = [];
    let steps = 2 * rows + free.length;
    for (let next = 0; next < free.length; next++) {
      yield;
      let i = free[next];
      for (;;) {
        let best = -1;
        let second = -1;
        let bestValue = -Infinity;
        let secondValue = -Infinity;
        for (let j = 0, at = i * columns; j < columns; j++, at++) {
          const value = data[at] - prices[j];
          if (value > secondValue) {
            if (value > bestValue) {
              second = best;
              secondValue = bestValue;
              best = j;
              bestValue = value;
            } else {
              second = j;
              secondValue = value;
            }
          }
        }
        // With a single column there is no second best, so the price need not rise.
        const raise = second < 0 ? 0 : bestValue - secondValue;
        if (raise === 0 && second >= 0 && columnToRow[best] >= 0) best = second;
        const displaced = columnToRow[best];
        if (displaced >= 0 && raise === 0) {
          later.push(i);
          break;
        }
        prices[best] += raise;
        columnToRow[best] = i;
        rowToColumn[i] = best;
        if (displaced < 0) break;
        rowToColumn[displaced] = -1;
        if (--steps <= 0) {
          later.push(displaced);
          break;
        }
        i = displaced;
      }
    }
    free = later;
  }
  return free;
}

interface Duals {
  rowToColumn: Int32Array;
  columnToRow: Int32Array;
  rowPrices: Float64Array;
  columnPrices: Float64Array;
}

/** Matches each free row along a shortest augmenting path (Dijkstra on the slack rowPrice + columnPrice − weight ≥ 0). */
function* augmentAll(
  { rows, columns, data }: WeightMatrix,
  free: readonly number[],
  duals: Duals,
): Steps<void> {
  const { rowToColumn, columnToRow, rowPrices, columnPrices } = duals;
  const distance = new Float64Array(columns);
  const from = new Int32Array(columns);
  const open = new Int32Array(columns);
  const settled = new Int32Array(rows);

  for (const start of free) {
    yield;
    distance.fill(Infinity);
    for (let j = 0; j < columns; j++) open[j] = j;
    let opens = columns;
    let settledCount = 0;
    let i = start;
    let length = 0;
    let end = -1;
    while (end < 0) {
      const base = i * columns;
      const price = length + rowPrices[i];
      let nearest = Infinity;
      let at = -1;
      for (let o = 0; o < opens; o++) {
        const j = open[o];
        const through = price + columnPrices[j] - data[base + j];
        let shortest = distance[j];
        if (through < shortest) {
          shortest = through;
          distance[j] = through;
          from[j] = i;
        }
        // Of columns at equal distance a free one is taken first, because it ends the path.
        if (shortest < nearest || (shortest === nearest && columnToRow[j] < 0)) {
          nearest = shortest;
          at = o;
        }
      }
      // Rounding can put a slack a few ulp below zero, but the length of a path must not decrease.
      length = Math.max(length, nearest);
      const j = open[at];
      open[at] = open[--opens];
      settled[settledCount++] = j;
      if (columnToRow[j] < 0) end = j;
      else i = columnToRow[j];
    }

    rowPrices[start] -= length;
    // Prices change for all settled columns but the last one, which ends the path at distance `length`.
    for (let s = 0; s < settledCount - 1; s++) {
      const j = settled[s];
      const change = length - distance[j];
      if (change <= 0) continue;
      columnPrices[j] += change;
      rowPrices[columnToRow[j]] -= change;
    }
    for (let j = end; ;) {
      const row = from[j];
      const previous = rowToColumn[row];
      columnToRow[j] = row;
      rowToColumn[row] = j;
      if (row === start) break;
      j = previous;
    }
  }
}

function transpose({ rows, columns, data }: WeightMatrix): WeightMatrix {
  const out = data instanceof Float64Array ? new Float64Array(data.length) : new Float32Array(data.length);
  const tile = 64;
  for (let i0 = 0; i0 < rows; i0 += tile)
    for (let j0 = 0; j0 < columns; j0 += tile)
      for (let i = i0; i < Math.min(i0 + tile, rows); i++)
        for (let j = j0; j < Math.min(j0 + tile, columns); j++) out[j * rows + i] = data[i * columns + j];
  return { rows: columns, columns: rows, data: out };
}
