/**
 * Checks the duals of a sparse solver against the whole matrix: given column prices from a solver that saw candidates only, how
 * much could a matching of the whole matrix weigh at most, and by which pairs outside the candidates would a row gain more?
 *
 * The search for candidates left an upper limit on the weights that it did not keep in each row and in each column. A row whose
 * limit is below what it gains already, and a column whose limit is below what it costs the row that gains least,
 * need not be checked again: only the other rows are multiplied with the other columns. Where many features are
 * shared that is a small part of the matrix; the bound holds for all of it.
 */
import type { BlockSize } from '../ops/productBlocks.ts';
import { topPairsSteps } from '../ops/topPairs.ts';
import { finish, type Steps } from '../steps.ts';
import { pairsOf, transposed, type FoundCandidates, type Pairs } from './candidates.ts';
import { gather, type Directions } from './directions.ts';

export interface DualCheck {
  /** Σ_i max_j (w_ij − p_j) + Σ_j p_j over all pairs: no matching that covers all rows weighs more. */
  bound: number;
  /** Of the rows and columns checked again, the best columns of each row at these prices and the rows that gain most by each column, with their weights. */
  tempting: Pairs[];
  /** Share of all pairs that were checked again. */
  share: number;
}

export interface Duals {
  /** [b.rows]: never negative. */
  columnPrices: Float64Array;
}

/** Needs a.rows ≤ b.rows and unit rows. `limits` are those of the search for candidates; pairs may have been added to `candidates` since. */
export function dualCheck(
  a: Directions,
  b: Directions,
  found: FoundCandidates,
  duals: Duals,
  options: { kept: number; block?: BlockSize; progress?: (rows: number) => void },
): DualCheck {
  return finish(dualCheckSteps(a, b, found, duals, options));
}

export function* dualCheckSteps(
  a: Directions,
  b: Directions,
  { candidates, rowLimit, columnLimit }: FoundCandidates,
  { columnPrices }: Duals,
  options: { kept: number; block?: BlockSize; progress?: (rows: number) => void },
): Steps<DualCheck> {
  // The rounded prices are used throughout, because the bound holds for exactly the prices it is computed with.
  const price = Float32Array.from(columnPrices);
  const { start, column, weight } = candidates;
  const best = new Float32Array(a.rows).fill(-Infinity);
  for (let i = 0; i < a.rows; i++)
    for (let p = start[i]; p < start[i + 1]; p++)
      best[i] = Math.max(best[i], Math.fround(weight[p] - price[column[p]]));

  const { rows, columns } = undecided({ best, price, rowLimit, columnLimit });
  const tempting: Pairs[] = [];
  if (rows.length > 0 && columns.length > 0) {
    const offsets = { columnOffset: price, rowOffset: best };
    const all = rows.length === a.rows && columns.length === b.rows;
    const found = yield* topPairsSteps({
      a: all ? a : gather(a, rows),
      b: all ? b : gather(b, columns),
      perRow: Math.min(options.kept, columns.length),
      perColumn: Math.min(options.kept, rows.length),
      columnOffset: Float32Array.from(columns, (j) => offsets.columnOffset[j]),
      rowOffset: Float32Array.from(rows, (i) => offsets.rowOffset[i]),
      block: options.block,
      progress: options.progress,
    });
    const choices = renamed(pairsOf(found.byRow), rows, columns);
    choices.column.forEach((j, p) => (choices.weight[p] += price[j]));
    const willing = renamed(transposed(pairsOf(found.byColumn)), rows, columns);
    willing.row.forEach((i, p) => (willing.weight[p] += best[i]));
    tempting.push(choices, willing);
    rows.forEach((i, at) => (best[i] = Math.max(best[i], found.best[at])));
  }
  let bound = 0;
  for (const value of best) bound += value;
  for (const p of price) bound += p;
  return { bound, tempting, share: (rows.length * columns.length) / (a.rows * b.rows) };
}

interface Limits {
  best: Float32Array;
  price: Float32Array;
  rowLimit: Float32Array;
  columnLimit: Float32Array;
}

/** The rows and the columns to check again: every pair outside the candidates by which a row might gain lies among them. */
function undecided({ best, price, rowLimit, columnLimit }: Limits): { rows: number[]; columns: number[] } {
  let rows = Array.from(best.keys());
  let columns = Array.from(price.keys());
  // Fewer rows rule out more columns, and fewer columns more rows; after three rounds little changes.
  for (let round = 0; round < 3; round++) {
    const cheapest = columns.reduce((least, j) => Math.min(least, price[j]), Infinity);
    rows = rows.filter((i) => rowLimit[i] - cheapest > best[i]);
    const humblest = rows.reduce((least, i) => Math.min(least, best[i]), Infinity);
    columns = columns.filter((j) => columnLimit[j] - price[j] > humblest);
  }
  return { rows, columns };
}

function renamed({ row, column, weight }: Pairs, rows: readonly number[], columns: readonly number[]): Pairs {
  return { row: row.map((i) => rows[i]), column: column.map((j) => columns[j]), weight };
}
