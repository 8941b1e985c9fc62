/**
 * The pairs worth considering when the cosine matrix is too large to keep: the best few columns of each row and the
 * best few rows of each column, gathered from one visit to every block. A matching is then sought among these
 * alone, and dualCheck.ts says what that may have cost.
 */
import type { BlockSize } from '../ops/productBlocks.ts';
import { topPairs } from '../ops/topPairs.ts';
import { tie, type TopScores } from '../ops/topScores.ts';
import type { Counterparts } from './counterparts.ts';
import type { Directions } from './directions.ts';

/** A sparse weight matrix by rows: row i has columns[start[i] … start[i + 1]), ascending, with their weights. */
export interface Candidates {
  readonly rows: number;
  readonly columns: number;
  readonly start: Int32Array;
  readonly column: Int32Array;
  readonly weight: Float32Array;
}

/** Pairs in any order, repetitions allowed. */
export interface Pairs {
  readonly row: Int32Array;
  readonly column: Int32Array;
  readonly weight: Float32Array;
}

export interface FoundCandidates {
  readonly candidates: Candidates;
  /** No pair of row i outside the candidates weighs more than rowLimit[i], and none of column j more than columnLimit[j]. */
  readonly rowLimit: Float32Array;
  readonly columnLimit: Float32Array;
}

/**
 * Both directions in one visit: top `perRow` of each row, top `perColumn` of each column, merged. Memory is
 * 8 bytes a kept pair and what the product takes. `a` and `b` have unit rows. `progress` is told the rows done.
 */
export function findCandidates(
  a: Directions,
  b: Directions,
  options: { perRow: number; perColumn: number; block?: BlockSize; progress?: (rows: number) => void },
): FoundCandidates {
  const { byRow, byColumn } = topPairs({
    a,
    b,
    perRow: Math.min(options.perRow, b.rows),
    perColumn: Math.min(options.perColumn, a.rows),
    block: options.block,
    progress: options.progress,
  });
  return {
    candidates: merge({ rows: a.rows, columns: b.rows }, [pairsOf(byRow), transposed(pairsOf(byColumn))]),
    rowLimit: byRow.bar.map(limitAbove),
    columnLimit: byColumn.bar.map(limitAbove),
  };
}

/** What was turned away scores no more than this. */
const limitAbove = (bar: number) => bar + 2 * tie;

/** Owners as rows, kept indices as columns. */
export function pairsOf({ index, score, kept }: TopScores): Pairs {
  const used = index.reduce((count, i) => count + (i >= 0 ? 1 : 0), 0);
  const pairs = { row: new Int32Array(used), column: new Int32Array(used), weight: new Float32Array(used) };
  for (let at = 0, out = 0; at < index.length; at++) {
    if (index[at] < 0) continue;
    pairs.row[out] = Math.floor(at / kept);
    pairs.column[out] = index[at];
    pairs.weight[out++] = score[at];
  }
  return pairs;
}

export function transposed({ row, column, weight }: Pairs): Pairs {
  return { row: column, column: row, weight };
}

/** The pairs of a candidate list. */
export function pairsOfCandidates({ rows, start, column, weight }: Candidates): Pairs {
  const row = new Int32Array(column.length);
  for (let i = 0; i < rows; i++) row.fill(i, start[i], start[i + 1]);
  return { row, column, weight };
}

/** One list without repetitions, sorted by row, then column: whatever order pairs were found in, the result is the same. */
export function merge(shape: { rows: number; columns: number }, lists: readonly Pairs[]): Candidates {
  const start = new Int32Array(shape.rows + 1);
  for (const { row } of lists) for (const i of row) start[i + 1]++;
  for (let i = 0; i < shape.rows; i++) start[i + 1] += start[i];
  const column = new Int32Array(start[shape.rows]);
  const weight = new Float32Array(start[shape.rows]);
  const next = start.slice();
  for (const list of lists)
    list.row.forEach((i, p) => {
      column[next[i]] = list.column[p];
      weight[next[i]++] = list.weight[p];
    });
  const compact = new Int32Array(shape.rows + 1);
  let out = 0;
  for (let i = 0; i < shape.rows; i++) {
    const from = start[i];
    const to = start[i + 1];
    insertionSort(column, weight, from, to);
    for (let p = from; p < to; p++) {
      if (p > from && column[p] === column[p - 1]) continue;
      column[out] = column[p];
      weight[out++] = weight[p];
    }
    compact[i + 1] = out;
  }
  return { ...shape, start: compact, column: column.slice(0, out), weight: weight.slice(0, out) };
}

/** Rows are short, and sorted stretches are cheap for it. */
function insertionSort(key: Int32Array, value: Float32Array, from: number, to: number): void {
  for (let p = from + 1; p < to; p++) {
    const k = key[p];
    const v = value[p];
    let at = p;
    while (at > from && key[at - 1] > k) {
      key[at] = key[at - 1];
      value[at] = value[at - 1];
      at--;
    }
    key[at] = k;
    value[at] = v;
  }
}

/** The best candidate of each row, −1 for a row without any. */
export function nearestAmong({ rows, start, column, weight }: Candidates): Counterparts {
  const match = new Int32Array(rows).fill(-1);
  const cosine = new Float64Array(rows).fill(NaN);
  for (let i = 0; i < rows; i++)
    for (let p = start[i]; p < start[i + 1]; p++)
      if (match[i] < 0 || weight[p] > cosine[i]) {
        match[i] = column[p];
        cosine[i] = weight[p];
      }
  return { match, cosine };
}
