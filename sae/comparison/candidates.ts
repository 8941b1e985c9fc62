/**
 * The pairs worth considering when the cosine matrix is too large to keep: the best few columns of each row and the
 * best few rows of each column, gathered from one visit to every block. A matching is then sought among these
 * alone, and dualCheck.ts says what that may have cost.
 */
import type { Counterparts } from './counterparts.ts';
import { forEachCosineBlock, type BlockSize, type Directions } from './cosineBlocks.ts';

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

/** Scores nearer than this count as equal. */
export const tie = 2 ** -20;

/**
 * The best `kept` of a stream of scores, for each owner, best first. Equal scores are ordered by a hash of owner and
 * index: were it by index alone, a hundred identical latents would all keep the same few of a hundred identical
 * counterparts, and most would find no match among them.
 */
export class TopScores {
  readonly index: Int32Array;
  readonly score: Float32Array;
  /** A newcomer above it may have a place. */
  readonly bar: Float32Array;
  readonly #kept: number;

  constructor(owners: number, kept: number) {
    this.#kept = kept;
    this.index = new Int32Array(owners * kept).fill(-1);
    this.score = new Float32Array(owners * kept).fill(-Infinity);
    this.bar = new Float32Array(owners).fill(-Infinity);
  }

  get kept(): number {
    return this.#kept;
  }

  /** Only for a score above the owner's bar. */
  insert(owner: number, index: number, score: number): void {
    const base = owner * this.#kept;
    const last = base + this.#kept - 1;
    if (!this.#before(owner, index, score, last)) return;
    let at = last;
    while (at > base && this.#before(owner, index, score, at - 1)) {
      this.score[at] = this.score[at - 1];
      this.index[at] = this.index[at - 1];
      at--;
    }
    this.score[at] = score;
    this.index[at] = index;
    this.bar[owner] = this.score[last] - tie;
  }

  /** Does a newcomer go before the entry at `place`? Scores are compared in steps of `tie`, so that the order is a total one. */
  #before(owner: number, index: number, score: number, place: number): boolean {
    const there = this.index[place];
    if (there < 0) return true;
    const difference = Math.round(score / tie) - Math.round(this.score[place] / tie);
    if (difference !== 0) return difference > 0;
    return scatter(owner, index) < scatter(owner, there);
  }
}

function scatter(owner: number, index: number): number {
  let h = Math.imul(owner, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}

/**
 * Both directions in one visit: top `perRow` of each row, top `perColumn` of each column, merged. Memory is
 * 8 bytes a kept pair and one block. `a` and `b` have unit rows. `progress` is told the rows done.
 */
export function findCandidates(
  a: Directions,
  b: Directions,
  options: { perRow: number; perColumn: number; block?: BlockSize; progress?: (rows: number) => void },
): Candidates {
  const byRow = new TopScores(a.rows, Math.min(options.perRow, b.rows));
  const byColumn = new TopScores(b.rows, Math.min(options.perColumn, a.rows));
  forEachCosineBlock(
    a,
    b,
    ({ firstRow, rows, firstColumn, columns, values }) => {
      const columnBar = byColumn.bar;
      for (let i = 0, at = 0; i < rows; i++) {
        const row = firstRow + i;
        let rowBar = byRow.bar[row];
        for (let j = 0; j < columns; j++, at++) {
          const value = values[at];
          if (value > rowBar) {
            byRow.insert(row, firstColumn + j, value);
            rowBar = byRow.bar[row];
          }
          if (value > columnBar[firstColumn + j]) byColumn.insert(firstColumn + j, row, value);
        }
      }
      if (firstColumn + columns === b.rows) options.progress?.(firstRow + rows);
    },
    options.block,
  );
  return merge({ rows: a.rows, columns: b.rows }, [pairsOf(byRow), transposed(pairsOf(byColumn))]);
}

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
