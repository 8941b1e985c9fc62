/**
 * The optimal matching of two dictionaries whose cosine matrix is too large to keep (METHODS.md §3): an auction among
 * candidate pairs, then a check of all pairs against its prices (dualCheck.ts). Pairs that the check finds are added to the candidates and
 * the auction is run again, until the matching is proved to be within the requested gap of the best one of the whole matrix.
 */
import { LazyscopeError } from '../errors.ts';
import { productBlockSteps, type BlockSize } from '../ops/productBlocks.ts';
import { optimalityGap } from '../spec/comparisonDefaults.ts';
import { finish, type Steps } from '../steps.ts';
import { assignmentSteps } from './assignment.ts';
import { auctionSteps, type AuctionState } from './auction.ts';
import { candidateSteps, merge, pairsOfCandidates, transposed, type Candidates } from './candidates.ts';
import { cosineSteps, gather, type Directions } from './directions.ts';
import { dualCheckSteps } from './dualCheck.ts';
import type { LeftBlocks } from './matrixBlocks.ts';

export interface SparseAssignmentOptions {
  /** How many best columns of each row, and best rows of each column, are candidates at first. */
  perRow?: number;
  perColumn?: number;
  /** Most pairs that one check of all pairs adds to a row. */
  tempting?: number;
  /** Relative optimality gap at which to stop. */
  gap?: number;
  /** Most checks of all pairs, each of which takes as long as the search for candidates. */
  maxPasses?: number;
  /** Entries of the largest matrix that is still solved exactly, for the rows left unmatched by the auction. */
  denseEntries?: number;
  block?: BlockSize;
  progress?: (stage: string, rows: number) => void;
  /** What parts of the work have left of the search for candidates. */
  left?: LeftBlocks | undefined;
}

export interface SparseAssignment {
  /** [a.rows]: the row of b, −1 where b has too few rows; and the cosine of each pair, NaN where there is none. */
  readonly match: Int32Array;
  readonly cosine: Float64Array;
  readonly weight: number;
  /** Upper bound on the weight of every matching of the whole matrix. */
  readonly bound: number;
  /** (bound − weight) / max(1, |bound|). */
  readonly gap: number;
  readonly passes: number;
  /** The pairs considered at the end; their rows are those of a. */
  readonly candidates: Candidates;
}

/** ε of the auction as a share of the requested gap: the auction itself may lose up to ε · rows. */
const epsilonShare = 0.2;

/** Matches the unit rows of `a` with those of `b`. The same input gives the same matching. */
export function assignDirections(
  a: Directions,
  b: Directions,
  options: SparseAssignmentOptions = {},
): SparseAssignment {
  return finish(directionSteps(a, b, options));
}

export function* directionSteps(
  a: Directions,
  b: Directions,
  options: SparseAssignmentOptions = {},
): Steps<SparseAssignment> {
  if (a.rows <= b.rows) return yield* solve(a, b, options);
  const turned = yield* solve(b, a, options);
  const match = new Int32Array(a.rows).fill(-1);
  const cosine = new Float64Array(a.rows).fill(NaN);
  turned.match.forEach((i, j) => {
    match[i] = j;
    cosine[i] = turned.cosine[j];
  });
  const candidates = merge({ rows: a.rows, columns: b.rows }, [
    transposed(pairsOfCandidates(turned.candidates)),
  ]);
  return { ...turned, match, cosine, candidates };
}

/** Solves with a.rows ≤ b.rows; `assignDirections` exchanges the two otherwise. */
function* solve(a: Directions, b: Directions, options: SparseAssignmentOptions): Steps<SparseAssignment> {
  const {
    perRow = 32,
    perColumn = 16,
    tempting = 8,
    gap: target = optimalityGap,
    maxPasses = 4,
    block,
  } = options;
  if (!(target > 0)) throw new LazyscopeError('bad_input', `The gap must be positive, but got ${target}.`);
  const progress = (stage: string) => (rows: number) => options.progress?.(stage, rows);
  const found = yield* candidateSteps(a, b, { perRow, perColumn, block, progress: progress('candidates'), left: options.left }); // prettier-ignore
  let { candidates } = found;
  const epsilon = epsilonShare * target * typicalWeight(candidates);
  let best: Pick<SparseAssignment, 'match' | 'cosine' | 'weight'> | undefined;
  let bound = Infinity;
  let columnPrices: Float64Array | undefined;
  for (let passes = 1; ; passes++) {
    const firstEpsilon = columnPrices ? epsilon * 5 : Math.max(epsilon, 0.1);
    const state = yield* auctionSteps(candidates, { epsilon, firstEpsilon, columnPrices });
    const cosine = yield* completed(a, b, candidates, { state, ...options });
    const weight = cosine.reduce((sum, value) => sum + value, 0);
    if (!best || weight > best.weight) best = { match: state.rowToColumn, cosine, weight };
    columnPrices = state.columnPrices;
    const check = yield* dualCheckSteps(a, b, { ...found, candidates }, state, {
      kept: tempting,
      block,
      progress: progress('prices'),
    });
    bound = Math.min(bound, check.bound);
    const gap = Math.max(0, bound - best.weight) / Math.max(1, Math.abs(bound));
    candidates = merge({ rows: a.rows, columns: b.rows }, [pairsOfCandidates(candidates), ...check.tempting]);
    if (gap <= target || passes >= maxPasses) return { ...best, bound, gap, passes, candidates };
  }
}

/** Mean over rows of the best candidate's weight, an upper bound on the mean weight of a matched pair. */
function typicalWeight({ rows, start, weight }: Candidates): number {
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    let best = 0;
    for (let p = start[i]; p < start[i + 1]; p++) best = Math.max(best, weight[p]);
    sum += best;
  }
  return Math.max(sum / rows, 1e-6);
}

/** Finds columns for the rows that stayed unmatched, writes them into `state`, and returns every row's cosine. */
function* completed(
  a: Directions,
  b: Directions,
  { start, column, weight }: Candidates,
  { state, block, denseEntries = 4096 * 4096 }: { state: AuctionState } & SparseAssignmentOptions,
): Steps<Float64Array> {
  const { rowToColumn, columnToRow } = state;
  const cosine = new Float64Array(a.rows);
  const leftRows: number[] = [];
  const leftColumns: number[] = [];
  rowToColumn.forEach((j, i) => {
    if (j < 0) leftRows.push(i);
    for (let p = start[i]; p < start[i + 1]; p++) if (column[p] === j) cosine[i] = weight[p];
  });
  if (leftRows.length === 0) return cosine;
  columnToRow.forEach((i, j) => {
    if (i < 0) leftColumns.push(j);
  });
  const place = (i: number, j: number, value: number) => {
    rowToColumn[leftRows[i]] = leftColumns[j];
    columnToRow[leftColumns[j]] = leftRows[i];
    cosine[leftRows[i]] = value;
  };
  const rows = gather(a, leftRows);
  const columns = gather(b, leftColumns);
  if (rows.rows * columns.rows <= denseEntries) {
    const data = yield* cosineSteps(rows, columns);
    const left = yield* assignmentSteps({ rows: rows.rows, columns: columns.rows, data });
    left.rowToColumn.forEach((j, i) => place(i, j, data[i * columns.rows + j]));
  } else {
    yield* placeInTurn(rows, columns, place, block);
  }
  return cosine;
}

/** Each row in turn takes the best column that is left. Used only where too many rows stayed unmatched for the exact solver. */
function* placeInTurn(
  rows: Directions,
  columns: Directions,
  place: (i: number, j: number, value: number) => void,
  block: BlockSize | undefined,
): Steps<void> {
  const taken = new Uint8Array(columns.rows);
  yield* productBlockSteps(
    rows,
    columns,
    ({ firstRow, rows: count, values }) => {
      for (let i = 0; i < count; i++) {
        let best = -1;
        const base = i * columns.rows;
        for (let j = 0; j < columns.rows; j++)
          if (taken[j] === 0 && (best < 0 || values[base + j] > values[base + best])) best = j;
        taken[best] = 1;
        place(firstRow + i, best, values[base + best]);
      }
    },
    { rows: Math.min(64, block?.rows ?? 64), columns: columns.rows },
  );
}
