/**
 * The second look at all pairs: given column prices from a solver that saw candidates only, how much could a matching of the whole
 * matrix weigh at most, and which pairs outside the candidates would tempt a row away? One blocked visit;
 * the matrix is never kept.
 */
import { forEachCosineBlock, type BlockSize, type Directions } from './cosineBlocks.ts';
import { pairsOf, TopScores, transposed, type Pairs } from './candidates.ts';

export interface DualCheck {
  /** Σ_i max_j (w_ij − p_j) + Σ_j p_j over all pairs: no matching that covers all rows weighs more. */
  bound: number;
  /** Each row's best choices at these prices, and each column's most willing rows, with their weights. */
  tempting: Pairs[];
}

export interface Duals {
  /** Never negative. */
  columnPrices: Float64Array;
  /** What each row gets out of its match at those prices: a column tempts it by what it offers beyond that. */
  rowValues: Float64Array;
}

/** Needs a.rows ≤ b.rows and unit rows. */
export function dualCheck(
  a: Directions,
  b: Directions,
  duals: Duals,
  options: { kept: number; block?: BlockSize; progress?: (rows: number) => void },
): DualCheck {
  const byRow = new TopScores(a.rows, Math.min(options.kept, b.rows));
  const byColumn = new TopScores(b.rows, Math.min(options.kept, a.rows));
  const best = new Float32Array(a.rows).fill(-Infinity);
  const price = Float32Array.from(duals.columnPrices);
  const rowValue = Float32Array.from(duals.rowValues);
  forEachCosineBlock(
    a,
    b,
    ({ firstRow, rows, firstColumn, columns, values }) => {
      const columnBar = byColumn.bar;
      for (let i = 0, at = 0; i < rows; i++) {
        const row = firstRow + i;
        const mine = rowValue[row];
        let rowBar = byRow.bar[row];
        for (let j = 0; j < columns; j++, at++) {
          const weight = values[at];
          const column = firstColumn + j;
          const value = weight - price[column];
          if (value > rowBar) {
            if (value > best[row]) best[row] = value;
            byRow.insert(row, column, value);
            rowBar = byRow.bar[row];
          }
          const offer = weight - mine;
          if (offer > columnBar[column]) byColumn.insert(column, row, offer);
        }
      }
      if (firstColumn + columns === b.rows) options.progress?.(firstRow + rows);
    },
    options.block,
  );
  let bound = 0;
  // With the prices that the values were made with, single precision and all: it is a bound for those.
  for (const value of best) bound += value;
  for (const p of price) bound += p;
  const choices = pairsOf(byRow);
  for (let p = 0; p < choices.row.length; p++) choices.weight[p] += price[choices.column[p]];
  const willing = transposed(pairsOf(byColumn));
  for (let p = 0; p < willing.row.length; p++) willing.weight[p] += rowValue[willing.row[p]];
  return { bound, tempting: [choices, willing] };
}
