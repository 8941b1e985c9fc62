/**
 * A maximum-weight matching among candidate pairs, by Bertsekas's auction with ε-scaling, forward and reverse
 * (Bertsekas, Annals of Operations Research 14, 1988; Bertsekas & Castañón, Computational Optimization and
 * Applications 1, 1992). Rows bid for columns; then columns that were left with a price bid for rows. At the end no row
 * and no column could gain more than ε by another match, so the whole is within rows · ε of the best.
 *
 * A row may stay unmatched, and then gains 0. That keeps prices from running away where more rows than columns want the
 * same few columns; sparseAssignment.ts finds places for those rows afterwards.
 */
import { finish, type Steps } from '../steps.ts';
import { merge, pairsOfCandidates, transposed, type Candidates } from './candidates.ts';

export interface AuctionState {
  /** [rows]: the column of each row; −1 where the row stayed unmatched. */
  readonly rowToColumn: Int32Array;
  readonly columnToRow: Int32Array;
  /** [columns]: never negative, and 0 for columns without a row. */
  readonly columnPrices: Float64Array;
  /** [rows]: what each row gains at those prices, which is weight − price of its column, or 0 if it stayed unmatched. */
  readonly rowValues: Float64Array;
}

export interface AuctionOptions {
  /** ε of the last phase: the matching weighs at most rows · ε less than the best one. */
  epsilon: number;
  /** ε of the first phase; each next one's is a fifth. */
  firstEpsilon: number;
  /** [columns]: prices to start from; zeros by default. */
  columnPrices?: Float64Array;
}

const bidsAtOnce = 8192;

/** Runs the phases of the auction, from `firstEpsilon` down to `epsilon`. The same input gives the same matching. */
export function auction(candidates: Candidates, options: AuctionOptions): AuctionState {
  return finish(auctionSteps(candidates, options));
}

export function* auctionSteps(candidates: Candidates, options: AuctionOptions): Steps<AuctionState> {
  const { rows, columns } = candidates;
  const byColumn = merge({ rows: columns, columns: rows }, [transposed(pairsOfCandidates(candidates))]);
  const state: AuctionState = {
    rowToColumn: new Int32Array(rows),
    columnToRow: new Int32Array(columns),
    columnPrices: options.columnPrices?.slice() ?? new Float64Array(columns),
    rowValues: new Float64Array(rows),
  };
  for (let epsilon = options.firstEpsilon; ; epsilon = Math.max(options.epsilon, epsilon / 5)) {
    yield* forward(candidates, state, epsilon);
    yield* reverse(byColumn, state, epsilon);
    if (epsilon <= options.epsilon) return state;
  }
}

/** One phase: all rows bid anew at the prices reached so far, until each has a column or gains more unmatched. */
function* forward(
  { rows, start, column, weight }: Candidates,
  state: AuctionState,
  epsilon: number,
): Steps<void> {
  const { rowToColumn, columnToRow, columnPrices, rowValues } = state;
  rowToColumn.fill(-1);
  columnToRow.fill(-1);
  const queue = new Queue(rows);
  for (let i = 0; i < rows; i++) queue.push(i);
  for (let i = queue.shift(), bids = 1; i >= 0; i = queue.shift(), bids++) {
    if (bids % bidsAtOnce === 0) yield;
    let best = -1;
    let bestValue = 0;
    let second = -Infinity;
    let bestWeight = 0;
    for (let p = start[i], end = start[i + 1]; p < end; p++) {
      const value = weight[p] - columnPrices[column[p]];
      if (value > bestValue) {
        second = bestValue;
        best = column[p];
        bestValue = value;
        bestWeight = weight[p];
      } else if (value > second) second = value;
    }
    rowValues[i] = 0;
    if (best < 0) continue;
    // Staying unmatched, worth 0, is always an alternative, so the second best is at least 0.
    columnPrices[best] += bestValue - Math.max(second, 0) + epsilon;
    rowValues[i] = bestWeight - columnPrices[best];
    const displaced = columnToRow[best];
    columnToRow[best] = i;
    rowToColumn[i] = best;
    if (displaced < 0) continue;
    rowToColumn[displaced] = -1;
    queue.push(displaced);
  }
}

/**
 * Columns that are left without a row but with a price above 0 lower it until a row gains by taking them, or to 0. `byColumn` are the
 * candidates transposed, with columns as their rows.
 */
function* reverse(byColumn: Candidates, state: AuctionState, epsilon: number): Steps<void> {
  const { rowToColumn, columnToRow, columnPrices, rowValues } = state;
  const { rows: columns, start, column: row, weight } = byColumn;
  const queue = new Queue(columns);
  for (let j = 0; j < columns; j++) if (columnToRow[j] < 0 && columnPrices[j] > 0) queue.push(j);
  for (let j = queue.shift(), bids = 1; j >= 0; j = queue.shift(), bids++) {
    if (bids % bidsAtOnce === 0) yield;
    let best = -1;
    let bestOffer = -Infinity;
    let second = -Infinity;
    let bestWeight = 0;
    for (let p = start[j], end = start[j + 1]; p < end; p++) {
      const offer = weight[p] - rowValues[row[p]];
      if (offer > bestOffer) {
        second = bestOffer;
        best = row[p];
        bestOffer = offer;
        bestWeight = weight[p];
      } else if (offer > second) second = offer;
    }
    if (bestOffer < epsilon) {
      columnPrices[j] = 0;
      continue;
    }
    columnPrices[j] = Math.max(0, second - epsilon);
    rowValues[best] = bestWeight - columnPrices[j];
    const left = rowToColumn[best];
    rowToColumn[best] = j;
    columnToRow[j] = best;
    if (left < 0) continue;
    columnToRow[left] = -1;
    if (columnPrices[left] > 0) queue.push(left);
  }
}

/** A first-in, first-out queue of rows: a displaced row waits its turn, so that two rivals do not bid against each other alone. */
class Queue {
  readonly #items: Int32Array;
  #head = 0;
  #size = 0;

  constructor(capacity: number) {
    this.#items = new Int32Array(capacity);
  }

  push(item: number): void {
    let tail = this.#head + this.#size++;
    if (tail >= this.#items.length) tail -= this.#items.length;
    this.#items[tail] = item;
  }

  /** The next row; −1 when the queue is empty. */
  shift(): number {
    if (this.#size === 0) return -1;
    const item = this.#items[this.#head];
    this.#head = this.#head + 1 === this.#items.length ? 0 : this.#head + 1;
    this.#size--;
    return item;
  }
}
