/**
 * Which latents of two dictionaries are the same feature (METHODS.md §3; Paulo & Belrose, 2501.16615): rows to unit
 * norm, one optimal matching by decoder cosine, another by encoder cosine, and a latent counts as shared where the
 * two agree.
 */
import { assign } from './assignment.ts';
import { cosineMatrix, unitRows, type Directions } from './cosineBlocks.ts';
import { greedyMatching } from './greedyMatching.ts';

/** The two weight matrices of a dictionary, latent-major [latents, d]. */
export interface DictionaryWeights {
  readonly latents: number;
  readonly d: number;
  readonly wEnc: Float32Array;
  readonly wDec: Float32Array;
}

/** A counterpart in b for each latent of a (−1: none), with the cosine of the pair (NaN: none). */
export interface Counterparts {
  readonly match: Int32Array;
  readonly cosine: Float64Array;
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

/** Both sides dense: 4 · a.latents · b.latents bytes for one cosine matrix at a time. */
export function matchDictionaries(
  a: DictionaryWeights,
  b: DictionaryWeights,
  names: readonly [string, string] = ['a', 'b'],
): DictionaryMatch {
  const dense = (side: 'wDec' | 'wEnc') => {
    const what = (name: string) => `the ${side === 'wDec' ? 'decoder' : 'encoder'} of ${name}`;
    const left = unitRows(directions(a, side), what(names[0]));
    const right = unitRows(directions(b, side), what(names[1]));
    return { rows: a.latents, columns: b.latents, data: cosineMatrix(left, right) };
  };
  const solve = (matrix: { rows: number; columns: number; data: Float32Array }) => {
    const { rowToColumn, weight, bound } = assign(matrix);
    const gap = Math.max(0, bound - weight) / Math.max(1, Math.abs(bound));
    return { counterparts: withCosines(matrix, rowToColumn), gap };
  };

  // One matrix lives at a time: the encoder's is solved and dropped before the decoder's is made.
  const encoder = solve(dense('wEnc'));
  const cosines = dense('wDec');
  const decoder = solve(cosines);
  return {
    encoder: encoder.counterparts,
    decoder: decoder.counterparts,
    greedy: withCosines(cosines, greedyMatching(cosines)),
    nearest: withCosines(cosines, nearestColumns(cosines)),
    solver: 'dense shortest augmenting paths',
    gap: Math.max(encoder.gap, decoder.gap),
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
