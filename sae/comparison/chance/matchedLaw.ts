/**
 * The optimal one-to-one matching of two random dictionaries: PW-MCC and matched shares by chance. No formula is known; random
 * dictionaries of the same shape are matched by the solver that matches trained ones.
 */
import { Random } from '../../numerics/random.ts';
import { assign } from '../assignment.ts';
import { cosineMatrix } from '../directions.ts';
import { matchedFraction, meanCosine } from '../sharedFraction.ts';
import type { DirectionSource } from './randomDirections.ts';

export interface MatchedLaw {
  /** PW-MCC, its standard error over the draws, and how many pairs of random dictionaries were matched. */
  readonly pwMcc: number;
  readonly standardError: number;
  readonly draws: number;
  /** Mean cosine of the nearest of the larger dictionary to each row of the smaller one, in the same draws. */
  readonly nearest: number;
  /** [101]: mean share of the latents of a whose counterpart reaches the threshold 0, 0.01 … 1, and its standard deviation from one draw to the next. */
  readonly reaches: Float64Array;
  readonly deviation: Float64Array;
}

export interface MatchedLawOptions {
  a: DirectionSource;
  b: DirectionSource;
  /** Latents of both dictionaries. */
  latents: readonly [number, number];
  seed: number;
  /** Fewest and most draws. Between them it stops at a relative standard error of PW-MCC of `precision`. */
  draws?: readonly [number, number];
  precision?: number;
  progress?: (done: number, total: number) => void;
}

export function matchedLaw(options: MatchedLawOptions): MatchedLaw {
  const { a, b, latents, seed, precision = 0.01, progress } = options;
  const [fewest, most] = options.draws ?? [20, 100];
  const means: number[] = [];
  let nearest = 0;
  const sum = new Float64Array(101);
  const squares = new Float64Array(101);
  for (let draw = 0; draw < most; draw++) {
    const random = Random.fromSeed(seed, `matched by chance ${draw}`);
    const left = a.draw(latents[0], random);
    const right = b.draw(latents[1], random);
    const data = cosineMatrix(left, right);
    const { rowToColumn: match } = assign({ rows: left.rows, columns: right.rows, data });
    const cosine = Float64Array.from(match, (j, i) => (j < 0 ? NaN : data[i * right.rows + j]));
    nearest += meanNearest(data, left.rows, right.rows);
    means.push(meanCosine({ match, cosine }));
    for (let i = 0; i <= 100; i++) {
      const share = matchedFraction({ match, cosine }, i / 100);
      sum[i] += share;
      squares[i] += share * share;
    }
    progress?.(draw + 1, fewest);
    if (means.length >= fewest && standardError(means) <= precision * Math.abs(mean(means))) break;
  }
  const draws = means.length;
  const reaches = sum.map((total) => total / draws);
  return {
    pwMcc: mean(means),
    standardError: standardError(means),
    draws,
    nearest: nearest / draws,
    reaches,
    deviation: squares.map((total, i) =>
      Math.sqrt((Math.max(0, total / draws - reaches[i] ** 2) * draws) / Math.max(1, draws - 1)),
    ),
  };
}

/** Of each row, or of each column where there are fewer. */
function meanNearest(data: Float32Array, rows: number, columns: number): number {
  const best = new Float64Array(Math.min(rows, columns)).fill(-1);
  for (let i = 0, at = 0; i < rows; i++)
    for (let j = 0; j < columns; j++, at++) {
      const of = rows <= columns ? i : j;
      if (data[at] > best[of]) best[of] = data[at];
    }
  return best.reduce((sum, value) => sum + value, 0) / best.length;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function standardError(values: readonly number[]): number {
  const centre = mean(values);
  const variance = mean(values.map((value) => (value - centre) ** 2));
  return Math.sqrt(variance / Math.max(1, values.length - 1));
}
