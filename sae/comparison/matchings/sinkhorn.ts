/**
 * Entropic optimal transport between the latents of two dictionaries, on candidate pairs alone (METHODS.md §11): Sinkhorn's iteration
 * (Cuturi, 1306.0895) on logarithms, so that a small ε neither overflows nor vanishes, with marginals that may be missed at a price
 * (Chizat et al., 1607.05816): a latent without a counterpart then keeps its mass to itself, and one that has split sends more than its own.
 */
import { LazyscopeError } from '../../errors.ts';
import { finish, type Steps } from '../../steps.ts';
import type { Candidates } from '../candidates.ts';

export interface SinkhornOptions {
  /** Weight of the entropy, in units of the cost 1 − weight. */
  readonly epsilon: number;
  /** Weight of the marginals' divergence, KL(plan's marginal ‖ uniform); Infinity for marginals that are met. */
  readonly rho: number;
  /** The potentials' largest change in one iteration, as a share of ε, at which to stop. */
  readonly tolerance?: number;
  readonly maxIterations?: number;
  /** Called with the number of iterations done. */
  readonly progress?: (iterations: number) => void;
}

export interface TransportPlan {
  /** [candidates.column.length]: the mass that each candidate pair carries. Each side has 1 in all, the same for every latent. */
  readonly mass: Float64Array;
  /** [rows] and [columns]: sums of it. */
  readonly rowMass: Float64Array;
  readonly columnMass: Float64Array;
  readonly iterations: number;
  /** The last change of the potentials as a share of ε; above the tolerance only where the iterations were used up. */
  readonly change: number;
}

/** Entries between pauses. */
const entriesAtOnce = 2 ** 21;

/** The plan between uniform marginals at cost 1 − weight. Throws 'bad_input' for ε or ρ not above 0, and for a row or a column without a candidate where marginals must be met. */
export function sinkhorn(candidates: Candidates, options: SinkhornOptions): TransportPlan {
  return finish(sinkhornSteps(candidates, options));
}

export function* sinkhornSteps(
  { rows, columns, start, column, weight }: Candidates,
  { epsilon, rho, tolerance = 1e-6, maxIterations = 2000, progress }: SinkhornOptions,
): Steps<TransportPlan> {
  if (!(epsilon > 0 && Number.isFinite(epsilon)))
    throw new LazyscopeError('bad_input', `ε of the transport must be above 0, but got ${epsilon}.`);
  if (!(rho > 0))
    throw new LazyscopeError('bad_input', `ρ of the transport must be above 0, but got ${rho}.`);
  const byColumn = turned({ rows, columns, start, column });
  if (rho === Infinity) checkReachable(start, byColumn.start);
  const rowPotential = new Float64Array(rows); // f, in units of ε at the end of each half
  const columnPotential = new Float64Array(columns); // g
  const [logRow, logColumn] = [-Math.log(rows), -Math.log(columns)];
  let iterations = 0;
  let change = Infinity;
  let worked = 0;
  // A large ε first: its potentials are near those of a smaller one, from which few iterations are left.
  for (let own = Math.max(epsilon, Math.min(1, 64 * epsilon)); ; own = Math.max(epsilon, own / 4)) {
    const damping = rho === Infinity ? 1 : rho / (rho + own);
    const last = own === epsilon;
    const until = last ? maxIterations : Math.min(maxIterations, iterations + 50);
    change = Infinity;
    while (iterations < until && change > (last ? tolerance : 1e-2)) {
      change = 0;
      for (let i = 0; i < rows; i++) {
        let most = -Infinity;
        for (let p = start[i]; p < start[i + 1]; p++)
          most = Math.max(most, columnPotential[column[p]] - 1 + weight[p]);
        let sum = 0;
        for (let p = start[i]; p < start[i + 1]; p++)
          sum += Math.exp((columnPotential[column[p]] - 1 + weight[p] - most) / own);
        const next = sum > 0 ? -damping * (most + own * (Math.log(sum) + logColumn)) : 0;
        change = Math.max(change, Math.abs(next - rowPotential[i]) / own);
        rowPotential[i] = next;
      }
      for (let j = 0; j < columns; j++) {
        let most = -Infinity;
        for (let q = byColumn.start[j]; q < byColumn.start[j + 1]; q++)
          most = Math.max(most, rowPotential[byColumn.row[q]] - 1 + weight[byColumn.entry[q]]);
        let sum = 0;
        for (let q = byColumn.start[j]; q < byColumn.start[j + 1]; q++)
          sum += Math.exp((rowPotential[byColumn.row[q]] - 1 + weight[byColumn.entry[q]] - most) / own);
        const next = sum > 0 ? -damping * (most + own * (Math.log(sum) + logRow)) : 0;
        change = Math.max(change, Math.abs(next - columnPotential[j]) / own);
        columnPotential[j] = next;
      }
      iterations++;
      worked += 2 * column.length;
      if (worked < entriesAtOnce) continue;
      worked = 0;
      progress?.(iterations);
      yield;
    }
    if (last) break;
  }
  const mass = new Float64Array(column.length);
  const rowMass = new Float64Array(rows);
  const columnMass = new Float64Array(columns);
  for (let i = 0; i < rows; i++)
    for (let p = start[i]; p < start[i + 1]; p++) {
      const exponent = (rowPotential[i] + columnPotential[column[p]] - 1 + weight[p]) / epsilon;
      mass[p] = Math.exp(exponent + logRow + logColumn);
      rowMass[i] += mass[p];
      columnMass[column[p]] += mass[p];
    }
  return { mass, rowMass, columnMass, iterations, change };
}

/** The candidates by column: entries of column j stand at start[j] … start[j + 1], with their row and their place among the candidates. */
export function turned({
  rows,
  columns,
  start,
  column,
}: Pick<Candidates, 'rows' | 'columns' | 'start' | 'column'>): {
  start: Int32Array;
  row: Int32Array;
  entry: Int32Array;
} {
  const first = new Int32Array(columns + 1);
  for (const j of column) first[j + 1]++;
  for (let j = 0; j < columns; j++) first[j + 1] += first[j];
  const next = first.slice();
  const row = new Int32Array(column.length);
  const entry = new Int32Array(column.length);
  for (let i = 0; i < rows; i++)
    for (let p = start[i]; p < start[i + 1]; p++) {
      const at = next[column[p]]++;
      row[at] = i;
      entry[at] = p;
    }
  return { start: first, row, entry };
}

function checkReachable(byRow: Int32Array, byColumn: Int32Array): void {
  for (const [side, start] of [
    ['row', byRow],
    ['column', byColumn],
  ] as const)
    // prettier-ignore
    for (let i = 0; i + 1 < start.length; i++)
      if (start[i] === start[i + 1])
        throw new LazyscopeError(
          'bad_input',
          `Mass can't reach ${side} ${i}, which has no candidate pair: give more candidates, or a finite ρ.`,
        );
}
