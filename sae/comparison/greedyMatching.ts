/**
 * Greedy matching: the heaviest pair first, then the heaviest of the pairs that are left. It is the cheap alternative to the
 * optimal matching, and shown beside it to tell how much the cheap way misses.
 */
import type { WeightMatrix } from './assignment.ts';
import { pairsOfCandidates, type Candidates } from './candidates.ts';
import type { Counterparts } from './counterparts.ts';

/**
 * [rows]: the column of each row, −1 where no column was left. Of equal weights the lower row, then the lower column, goes first.
 *
 * Each row waits in a heap with its best column; when that column is gone by the row's turn, the row looks for its
 * best among those left and waits again. No sort of all pairs is needed, and the order is the same.
 */
export function greedyMatching({ rows, columns, data }: WeightMatrix): Int32Array {
  const rowToColumn = new Int32Array(rows).fill(-1);
  const taken = new Uint8Array(columns);
  const best = new Int32Array(rows);
  const value = new Float64Array(rows);
  const look = (row: number) => {
    let at = -1;
    let most = -Infinity;
    const base = row * columns;
    for (let j = 0; j < columns; j++)
      if (taken[j] === 0 && data[base + j] > most) {
        most = data[base + j];
        at = j;
      }
    best[row] = at;
    value[row] = most;
  };
  const before = (a: number, b: number) => value[a] > value[b] || (value[a] === value[b] && a < b);

  const heap = new Int32Array(rows);
  let size = rows;
  const sink = (from: number) => {
    const row = heap[from];
    let hole = from;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= size) break;
      if (child + 1 < size && before(heap[child + 1], heap[child])) child++;
      if (!before(heap[child], row)) break;
      heap[hole] = heap[child];
      hole = child;
    }
    heap[hole] = row;
  };

  for (let i = 0; i < rows; i++) {
    look(i);
    heap[i] = i;
  }
  for (let i = (rows >> 1) - 1; i >= 0; i--) sink(i);
  for (let matched = 0; size > 0 && matched < Math.min(rows, columns);) {
    const row = heap[0];
    if (taken[best[row]] === 0) {
      rowToColumn[row] = best[row];
      taken[best[row]] = 1;
      matched++;
      heap[0] = heap[--size];
    } else look(row);
    if (size > 0) sink(0);
  }
  return rowToColumn;
}

/** Greedy matching among candidate pairs; −1 for a row whose candidates are all taken. */
export function greedyAmong(candidates: Candidates): Counterparts {
  const { row, column, weight } = pairsOfCandidates(candidates);
  const order = Uint32Array.from(weight, (_, p) => p).sort((p, q) => weight[q] - weight[p] || p - q);
  const match = new Int32Array(candidates.rows).fill(-1);
  const cosine = new Float64Array(candidates.rows).fill(NaN);
  const taken = new Uint8Array(candidates.columns);
  for (const p of order) {
    if (match[row[p]] >= 0 || taken[column[p]] === 1) continue;
    match[row[p]] = column[p];
    cosine[row[p]] = weight[p];
    taken[column[p]] = 1;
  }
  return { match, cosine };
}
