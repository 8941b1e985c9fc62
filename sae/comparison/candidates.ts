/**
 * The pairs worth considering when the cosine matrix is too large to keep: the best few columns of each row and the
 * best few rows of each column, gathered from one visit to every block. A matching is then sought among these
 * alone, and dualCheck.ts says what that may have cost.
 */
import type { BlockSize } from '../ops/productBlocks.ts';
import { tie, type TopScores } from '../ops/topScores.ts';
import { finish, type Steps } from '../steps.ts';
import type { Counterparts } from './counterparts.ts';
import type { Directions } from './directions.ts';
import { blockedPairs, type LeftBlocks } from './matrixBlocks.ts';

/** A sparse weight matrix by rows: row i has columns[start[i] … start[i + 1]), ascending, with their weights. */
export interface Candidates {
  readonly rows: number;
  readonly columns: number;
  readonly start: Int32Array;
  readonly column: Int32Array;
  readonly weight: Float32Array;
}

/** Pairs (row, column, weight) in any order; a pair may occur more than once. */
export interface Pairs {
  readonly row: Int32Array;
  readonly column: Int32Array;
  readonly weight: Float32Array;
}

export interface FoundCandidates {
  readonly candidates: Candidates;
  /** [rows] and [columns]: no pair of row i outside the candidates weighs more than rowLimit[i], and none of column j more than columnLimit[j]. */
  readonly rowLimit: Float32Array;
  readonly columnLimit: Float32Array;
}

interface CandidateOptions {
  perRow: number;
  perColumn: number;
  block?: BlockSize;
  progress?: (rows: number) => void;
  /** What parts of the work have left. */
  left?: LeftBlocks | undefined;
}

/**
 * Finds the `perRow` best columns of each row and the `perColumn` best rows of each column in one pass over the product, and
 * merges them. Memory is 8 bytes for each pair kept, and what the product takes. `a` [rows, d] and `b` [columns, d] have unit
 * rows. `progress` is called with the number of rows done.
 */
export function findCandidates(a: Directions, b: Directions, options: CandidateOptions): FoundCandidates {
  return finish(candidateSteps(a, b, options));
}

export function* candidateSteps(
  a: Directions,
  b: Directions,
  options: CandidateOptions,
): Steps<FoundCandidates> {
  const { byRow, byColumn } = yield* blockedPairs(a, b, options, options.left);
  return {
    candidates: merge({ rows: a.rows, columns: b.rows }, [pairsOf(byRow), transposed(pairsOf(byColumn))]),
    rowLimit: byRow.bar.map(limitAbove),
    columnLimit: byColumn.bar.map(limitAbove),
  };
}

/** An upper bound on the score of every pair that was not kept, from the bar of its list. */
const limitAbove = (bar: number) => bar + 2 * tie;

/** The kept entries as pairs: owners become rows, and the indices kept for them columns. */
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

/** The same candidates with the row of each pair written out. */
export function pairsOfCandidates({ rows, start, column, weight }: Candidates): Pairs {
  const row = new Int32Array(column.length);
  for (let i = 0; i < rows; i++) row.fill(i, start[i], start[i + 1]);
  return { row, column, weight };
}

/** Merges lists into one without repetitions, sorted by row and then by column, so that the order in which pairs were found does not matter. */
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

/** Insertion sort, because rows are short and mostly consist of stretches that are sorted already. */
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

/** The best candidate of each row, and −1 for a row that has none. */
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
