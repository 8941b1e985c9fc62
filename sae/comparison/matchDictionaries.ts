/**
 * Which latents of two dictionaries are the same feature (METHODS.md §3; Paulo & Belrose, 2501.16615): rows to unit
 * norm, one optimal matching by decoder cosine, another by encoder cosine, and a latent counts as shared where the
 * two agree.
 */
import { assign } from './assignment.ts';
import { nearestAmong } from './candidates.ts';
import type { Counterparts } from './counterparts.ts';
import { cosineMatrix, unitRows, type Directions } from './directions.ts';
import { greedyAmong, greedyMatching } from './greedyMatching.ts';
import { assignDirections } from './sparseAssignment.ts';

/** The two weight matrices of a dictionary, latent-major [latents, d]. */
export interface DictionaryWeights {
  readonly latents: number;
  readonly d: number;
  readonly wEnc: Float32Array;
  readonly wDec: Float32Array;
}

export interface DictionaryMatch {
  /** Optimal matchings. Where a has more latents than b, the surplus has no counterpart. */
  readonly decoder: Counterparts;
  readonly encoder: Counterparts;
  /** Greedy matching by decoder cosine. */
  readonly greedy: Counterparts;
  /** The nearest decoder row of b, matched or not. */
  readonly nearest: Counterparts;
  readonly solver: string;
  /** Relative optimality gap, the worse of the two matchings. */
  readonly gap: number;
}

export interface MatchOptions {
  /** What the dictionaries are called in errors. */
  names?: readonly [string, string];
  /** Latents, of the wider dictionary, up to which the cosine matrix is made whole and solved exactly. */
  denseLatents?: number;
  /** Told of each pass over the rows of a matrix. */
  progress?: (stage: string, rows: number) => void;
}

/**
 * Up to `denseLatents` (default 4,096; a matrix of 64 MiB, solved in a second) by the exact solver, beyond by an auction among candidates
 * whose gap is proved for all pairs. There, the greedy matching is among candidates too: a latent whose
 * candidates are all taken has none, which no cosine near a useful threshold ever is.
 */
export function matchDictionaries(
  a: DictionaryWeights,
  b: DictionaryWeights,
  options: MatchOptions = {},
): DictionaryMatch {
  const { names = ['a', 'b'], denseLatents = 4096, progress } = options;
  const dense = Math.max(a.latents, b.latents) <= denseLatents;
  const solve = (side: 'wDec' | 'wEnc') => {
    const part = side === 'wDec' ? 'decoder' : 'encoder';
    const left = unitRows(directions(a, side), `the ${part} of ${names[0]}`);
    const right = unitRows(directions(b, side), `the ${part} of ${names[1]}`);
    const told = (stage: string, rows: number) => progress?.(`${part}: ${stage}`, rows);
    if (!dense) return solveSparse(left, right, told);
    const solved = solveDense(left, right);
    told('matching', Math.min(left.rows, right.rows));
    return solved;
  };
  // One side at a time: the encoder's matrix or candidates are dropped before the decoder's are made.
  const { counterparts: encoder, gap: encoderGap } = solve('wEnc');
  const decoder = solve('wDec');
  return {
    encoder,
    decoder: decoder.counterparts,
    greedy: decoder.greedy(),
    nearest: decoder.nearest(),
    solver: dense ? 'dense shortest augmenting paths' : 'auction among candidates, checked against all pairs',
    gap: Math.max(encoderGap, decoder.gap),
  };
}

interface Solved {
  counterparts: Counterparts;
  gap: number;
  greedy(): Counterparts;
  nearest(): Counterparts;
}

function solveDense(left: Directions, right: Directions): Solved {
  const matrix = { rows: left.rows, columns: right.rows, data: cosineMatrix(left, right) };
  const { rowToColumn, weight, bound } = assign(matrix);
  return {
    counterparts: withCosines(matrix, rowToColumn),
    gap: Math.max(0, bound - weight) / Math.max(1, Math.abs(bound)),
    greedy: () => withCosines(matrix, greedyMatching(matrix)),
    nearest: () => withCosines(matrix, nearestColumns(matrix)),
  };
}

function solveSparse(left: Directions, right: Directions, progress: MatchOptions['progress']): Solved {
  const { match, cosine, gap, candidates } = assignDirections(left, right, { progress });
  return {
    counterparts: { match, cosine },
    gap,
    greedy: () => greedyAmong(candidates),
    nearest: () => nearestAmong(candidates),
  };
}

function directions(weights: DictionaryWeights, side: 'wDec' | 'wEnc'): Directions {
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
