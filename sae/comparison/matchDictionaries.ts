/**
 * Which latents of two dictionaries are the same feature (METHODS.md §3; Paulo & Belrose, 2501.16615): rows to unit
 * norm, one optimal matching by decoder cosine, another by encoder cosine, and a latent counts as shared where the
 * two agree.
 */
import { finish, type Steps } from '../steps.ts';
import type { Block } from '../store/blocks.ts';
import { assignmentSteps } from './assignment.ts';
import { nearestAmong } from './candidates.ts';
import type { Counterparts } from './counterparts.ts';
import { unitRows, type Directions } from './directions.ts';
import { greedyAmong, greedyMatching } from './greedyMatching.ts';
import { blockedCosines, matrixBlocks, type LeftBlocks } from './matrixBlocks.ts';
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
  /** Where parts of the work may be done already. */
  folder?: LeftBlocks['folder'] | undefined;
}

const sides = ['encoder', 'decoder'] as const;
type SideName = (typeof sides)[number];

/** Unit rows of one side of both dictionaries. */
function unitSides(
  a: ComparedDictionary,
  b: ComparedDictionary,
  side: SideName,
  [nameA, nameB]: readonly [string, string],
): [Directions, Directions] {
  return [
    unitRows(directions(a, side), `the ${side} of ${nameA}`),
    unitRows(directions(b, side), `the ${side} of ${nameB}`),
  ];
}

/** What parts can do of a matching: the products that it begins with. */
export function* matchBlocks(
  a: ComparedDictionary,
  b: ComparedDictionary,
  options: Pick<MatchOptions, 'names' | 'memory'> & { signal: AbortSignal | undefined },
): Generator<Block> {
  const { names = ['a', 'b'], signal } = options;
  const { dense, perRow, perColumn } = options.memory ?? planMemory({ a: a.latents, b: b.latents, d: a.d });
  // The sparse solver matches the narrower dictionary with the wider one.
  const turned = !dense && a.latents > b.latents;
  // Unit rows of one side at a time are in memory.
  let made: { side: SideName; both: [Directions, Directions] } | undefined;
  for (const side of sides) {
    const both = () => {
      if (made?.side !== side) made = { side, both: unitSides(a, b, side, names) };
      const [left, right] = made.both;
      return turned ? ([right, left] as const) : ([left, right] as const);
    };
    const rows = turned ? b.latents : a.latents;
    yield* matrixBlocks({ side, rows, both, dense, asked: { perRow, perColumn }, signal });
  }
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
  const { names = ['a', 'b'], progress, targetGap, folder } = options;
  const memory = options.memory ?? planMemory({ a: a.latents, b: b.latents, d: a.d });
  const solve = function* (side: SideName): Steps<Solved> {
    const [left, right] = unitSides(a, b, side, names);
    const reportRows = (stage: string, rows: number) => progress?.(`${side}: ${stage}`, rows);
    const there = folder && { side, folder };
    if (!memory.dense)
      return yield* solveSparse(left, right, { memory, targetGap, progress: reportRows, there });
    const solved = yield* solveDense(left, right, there);
    reportRows('matching', Math.min(left.rows, right.rows));
    return solved;
  };
  // The two sides are solved one after the other, so that only one matrix or list of candidates is in memory.
  const encoder = yield* solve('encoder');
  const decoder = yield* solve('decoder');
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

function* solveDense(left: Directions, right: Directions, there: LeftBlocks | undefined): Steps<Solved> {
  const matrix = { rows: left.rows, columns: right.rows, data: yield* blockedCosines(left, right, there) };
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
  {
    memory,
    targetGap,
    progress,
    there,
  }: MatchOptions & { memory: MemoryPlan; there: LeftBlocks | undefined },
): Steps<Solved> {
  const { perRow, perColumn } = memory;
  const { match, cosine, gap, candidates } = yield* directionSteps(left, right, {
    perRow,
    perColumn,
    gap: targetGap,
    progress,
    left: there,
  });
  return {
    counterparts: { match, cosine },
    gap,
    greedy: greedyAmong(candidates),
    nearest: nearestAmong(candidates),
  };
}

function directions({ latents, d, wDec, wEnc }: ComparedDictionary, side: SideName): Directions {
  return { rows: latents, d, data: side === 'decoder' ? wDec : wEnc };
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
