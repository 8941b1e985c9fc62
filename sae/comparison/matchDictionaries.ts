/**
 * Which latents of two dictionaries are the same feature (METHODS.md §3; Paulo & Belrose, 2501.16615): rows to unit
 * norm, one optimal matching by decoder cosine, another by encoder cosine, and a latent counts as shared where the
 * two agree.
 */
import { finish, type Steps } from '../steps.ts';
import { assignmentSteps } from './assignment.ts';
import { nearestAmong } from './candidates.ts';
import type { Counterparts } from './counterparts.ts';
import { cosineSteps, unitRows, type Directions } from './directions.ts';
import { greedyAmong, greedyMatching } from './greedyMatching.ts';
import { planMemory, type MemoryPlan } from './memoryPlan.ts';
import { directionSteps } from './sparseAssignment.ts';

/** What is compared of a dictionary: its two weight matrices, latent-major [latents, d]. */
export interface ComparedDictionary {
  readonly latents: number;
  readonly d: number;
  readonly wEnc: Float32Array;
  readonly wDec: Float32Array;
}

export interface DictionaryMatch {
  /** Optimal matchings by decoder and by encoder cosine. Where a has more latents than b, those left over have no counterpart. */
  readonly decoder: Counterparts;
  readonly encoder: Counterparts;
  /** Greedy matchings. */
  readonly greedy: Counterparts;
  readonly greedyEncoder: Counterparts;
  /** The row of b with the largest cosine, whether or not it is matched with another row. */
  readonly nearest: Counterparts;
  readonly nearestEncoder: Counterparts;
  readonly solver: string;
  /** Relative optimality gaps. */
  readonly gaps: { readonly decoder: number; readonly encoder: number };
  /** The larger of the two gaps. */
  readonly gap: number;
}

export interface MatchOptions {
  /** What the dictionaries are called in errors. */
  names?: readonly [string, string];
  /** What may be kept in memory; without a limit by default. */
  memory?: MemoryPlan;
  /** Relative optimality gap at which the sparse solver stops. */
  targetGap?: number;
  /** Called during each pass over a matrix with the name of the stage and the number of rows done. */
  progress?: (stage: string, rows: number) => void;
}

/**
 * Matches by the exact solver where the memory plan allows the whole matrix of cosines, and otherwise by an auction among
 * candidates whose optimality gap is proved for all pairs. In the second case the greedy matching is among candidates too: a latent whose
 * candidates are all taken has no counterpart in it, which does not happen to pairs with a cosine near a useful threshold.
 */
export function matchDictionaries(
  a: ComparedDictionary,
  b: ComparedDictionary,
  options: MatchOptions = {},
): DictionaryMatch {
  return finish(matchSteps(a, b, options));
}

export function* matchSteps(
  a: ComparedDictionary,
  b: ComparedDictionary,
  options: MatchOptions = {},
): Steps<DictionaryMatch> {
  const { names = ['a', 'b'], progress, targetGap } = options;
  const memory = options.memory ?? planMemory({ a: a.latents, b: b.latents, d: a.d });
  const solve = function* (side: 'wDec' | 'wEnc'): Steps<Solved> {
    const part = side === 'wDec' ? 'decoder' : 'encoder';
    const left = unitRows(directions(a, side), `the ${part} of ${names[0]}`);
    const right = unitRows(directions(b, side), `the ${part} of ${names[1]}`);
    const reportRows = (stage: string, rows: number) => progress?.(`${part}: ${stage}`, rows);
    if (!memory.dense) return yield* solveSparse(left, right, { memory, targetGap, progress: reportRows });
    const solved = yield* solveDense(left, right);
    reportRows('matching', Math.min(left.rows, right.rows));
    return solved;
  };
  // The two sides are solved one after the other, so that only one matrix or list of candidates is in memory.
  const encoder = yield* solve('wEnc');
  const decoder = yield* solve('wDec');
  return {
    encoder: encoder.counterparts,
    greedyEncoder: encoder.greedy,
    nearestEncoder: encoder.nearest,
    decoder: decoder.counterparts,
    greedy: decoder.greedy,
    nearest: decoder.nearest,
    solver: memory.dense
      ? 'dense shortest augmenting paths'
      : 'auction among candidates, checked against all pairs',
    gaps: { decoder: decoder.gap, encoder: encoder.gap },
    gap: Math.max(encoder.gap, decoder.gap),
  };
}

interface Solved {
  counterparts: Counterparts;
  gap: number;
  greedy: Counterparts;
  nearest: Counterparts;
}

function* solveDense(left: Directions, right: Directions): Steps<Solved> {
  const matrix = { rows: left.rows, columns: right.rows, data: yield* cosineSteps(left, right) };
  const { rowToColumn, weight, bound } = yield* assignmentSteps(matrix);
  return {
    counterparts: withCosines(matrix, rowToColumn),
    gap: Math.max(0, bound - weight) / Math.max(1, Math.abs(bound)),
    greedy: withCosines(matrix, greedyMatching(matrix)),
    nearest: withCosines(matrix, nearestColumns(matrix)),
  };
}

function* solveSparse(
  left: Directions,
  right: Directions,
  { memory, targetGap, progress }: MatchOptions & { memory: MemoryPlan },
): Steps<Solved> {
  const { perRow, perColumn } = memory;
  const { match, cosine, gap, candidates } = yield* directionSteps(left, right, {
    perRow,
    perColumn,
    gap: targetGap,
    progress,
  });
  return {
    counterparts: { match, cosine },
    gap,
    greedy: greedyAmong(candidates),
    nearest: nearestAmong(candidates),
  };
}

function directions(weights: ComparedDictionary, side: 'wDec' | 'wEnc'): Directions {
  return { rows: weights.latents, d: weights.d, data: weights[side] };
}

interface Cosines {
  rows: number;
  columns: number;
  data: Float32Array;
}

function withCosines({ columns, data }: Cosines, match: Int32Array): Counterparts {
  const cosine = Float64Array.from(match, (j, i) => (j < 0 ? NaN : data[i * columns + j]));
  return { match, cosine };
}

function nearestColumns({ rows, columns, data }: Cosines): Int32Array {
  const out = new Int32Array(rows);
  for (let i = 0; i < rows; i++) {
    let best = 0;
    for (let j = 1, base = i * columns; j < columns; j++) if (data[base + j] > data[base + best]) best = j;
    out[i] = best;
  }
  return out;
}
