/**
 * How far a matching can be from the best one, by linear-programming duality: for any column prices p ≥ 0 no
 * matching weighs more than Σ_i max_j (w_ij − p_j) + Σ_j p_j. The bound holds whatever solver found the prices, so
 * the same function certifies the dense solver and, one block of rows at a time, a solver that saw only candidates.
 */
import type { Assignment, WeightMatrix } from './assignment.ts';

export interface Certificate {
  /** Weight of the matching, recomputed from the matrix. */
  weight: number;
  /** No matching that covers all rows (all columns, if they are fewer) weighs more. */
  bound: number;
  /** (bound − weight) / max(1, |bound|): 0 for an optimal matching, up to rounding. */
  gap: number;
  /** Largest violation of price feasibility, rowPrice + columnPrice ≥ weight, over all pairs. */
  infeasibility: number;
  /** Largest |rowPrice + columnPrice − weight| over the matched pairs. */
  slackness: number;
}

/** Checks a matching and its prices against every entry of the matrix. It reports how far they are off and never throws. */
export function certificate(matrix: WeightMatrix, assignment: Assignment): Certificate {
  const { rows, columns, data } = matrix;
  const { rowToColumn, rowPrices, columnPrices } = assignment;
  // The bound is over the prices of the side that may stay unmatched, which must therefore not be negative.
  const byRows = rows <= columns;
  const owner = byRows ? rowPrices.length : columnPrices.length;
  const best = new Float64Array(owner).fill(-Infinity);
  const other = byRows ? columnPrices : rowPrices;
  let weight = 0;
  let infeasibility = 0;
  let slackness = 0;
  for (const price of other) if (rows !== columns) infeasibility = Math.max(infeasibility, -price);
  for (let i = 0; i < rows; i++) {
    for (let j = 0, at = i * columns; j < columns; j++, at++) {
      const slack = rowPrices[i] + columnPrices[j] - data[at];
      if (-slack > infeasibility) infeasibility = -slack;
      if (rowToColumn[i] === j) {
        weight += data[at];
        slackness = Math.max(slackness, Math.abs(slack));
      }
      const mine = byRows ? i : j;
      const value = data[at] - (byRows ? columnPrices[j] : rowPrices[i]);
      if (value > best[mine]) best[mine] = value;
    }
  }
  let bound = 0;
  for (const value of best) bound += value;
  for (const price of other) bound += price;
  return { weight, bound, gap: (bound - weight) / Math.max(1, Math.abs(bound)), infeasibility, slackness };
}
