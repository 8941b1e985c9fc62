/**
 * What a comparison of random dictionaries of one shape and kind would show: the figures of a comparison by chance. They depend on
 * the shape and on the covariance, not on the dictionaries, so that one law serves every pair of seeds.
 */
import { expectedLargest, isotropicExceedance, largestExceedance } from './isotropicLaw.ts';
import { matchedLaw, type MatchedLaw } from './matchedLaw.ts';
import { nearestLaw, type NearestLaw } from './nearestLaw.ts';
import type { Spectrum } from './activationSpectrum.ts';
import { covarianceSource, isotropicSource, type DirectionSource } from './randomDirections.ts';

export interface NullLaw {
  readonly mmcs: number;
  readonly pwMcc: number;
  /** Standard error of pwMcc over the draws it is from. */
  readonly pwMccError: number;
  readonly draws: number;
  /** Whether the matchings were of smaller dictionaries, and pwMcc follows from a fit: see `extrapolatedPwMcc`. */
  readonly extrapolated: boolean;
  /** [101]: share of the latents of a whose nearest of b reaches the threshold 0, 0.01 … 1. */
  readonly nearest: Float64Array;
  /** [101]: the same for the counterpart in the optimal matching; where `extrapolated`, what it is at most. */
  readonly matched: Float64Array;
  /** [101]: standard deviation of `matched` from one pair of random dictionaries to the next; 0 where `extrapolated`. */
  readonly deviation: Float64Array;
}

/** Latents of a and of b. */
export type Shape = readonly [number, number];

/** Up to this many latents in the wider one, random dictionaries of the shape itself are matched; a draw takes up to 3 s. */
export const widestSimulated = 2048;
/** Up to this many, a matching takes a few tenths of a second, and shares are worth measuring finely. */
const wellSimulated = 1024;
const seed = 14;

interface Kind {
  a: DirectionSource;
  b: DirectionSource;
  /** The nearest of `count` directions like b's to a row like a's, and the other way round. */
  ofB(count: number): NearestLaw;
  ofA(count: number): NearestLaw;
  fewestDraws: number;
}

export type NullProgress = (stage: string, done: number, total: number) => void;

/** Directions without a preference, in d dimensions. */
export function isotropicNull(d: number, shape: Shape, progress?: NullProgress): NullLaw {
  const source = isotropicSource(d);
  const exact = (count: number): NearestLaw => ({
    mean: expectedLargest((c) => isotropicExceedance(c, d), count),
    standardError: 0,
    reaches: Float64Array.from({ length: 101 }, (_, i) =>
      largestExceedance(isotropicExceedance(i / 100, d), count),
    ),
  });
  return lawOf({ a: source, b: source, ofB: exact, ofA: exact, fewestDraws: 5 }, shape, progress);
}

/** Directions with the covariance of the activations, each side with its own. */
export function covarianceNull(
  spectra: { a: Spectrum; b: Spectrum },
  shape: Shape,
  progress?: NullProgress,
): NullLaw {
  const law = (rows: Spectrum, among: Spectrum) => (count: number) =>
    nearestLaw({ eigenvalues: among.eigenvalues, rows: covarianceSource(rows, among), count, seed });
  return lawOf(
    {
      a: covarianceSource(spectra.a, spectra.b),
      b: covarianceSource(spectra.b),
      ofB: law(spectra.a, spectra.b),
      ofA: law(spectra.b, spectra.a),
      fewestDraws: 20,
    },
    shape,
    progress,
  );
}

function lawOf(kind: Kind, shape: Shape, progress: NullProgress = () => {}): NullLaw {
  const near = kind.ofB(shape[1]);
  const widest = Math.max(...shape);
  if (widest > widestSimulated) {
    const { pwMcc, standardError, draws } = extrapolatedPwMcc(kind, shape, progress);
    const most = Math.min(1, shape[1] / shape[0]);
    return {
      mmcs: near.mean,
      pwMcc,
      pwMccError: standardError,
      draws,
      extrapolated: true,
      nearest: near.reaches,
      matched: near.reaches.map((share) => Math.min(share, most)),
      deviation: new Float64Array(101),
    };
  }
  const fewest = widest <= wellSimulated ? kind.fewestDraws : 3;
  const matched = simulated(kind, shape, fewest, (done, total) => progress('matching', done, total));
  return {
    mmcs: near.mean,
    pwMcc: matched.pwMcc,
    pwMccError: matched.standardError,
    draws: matched.draws,
    extrapolated: false,
    nearest: near.reaches,
    matched: matched.reaches,
    deviation: matched.deviation,
  };
}

function simulated(
  { a, b }: Kind,
  latents: Shape,
  fewest: number,
  progress: (done: number, total: number) => void,
): MatchedLaw {
  return matchedLaw({ a, b, latents, seed, draws: [fewest, 100], progress });
}

/**
 * PW-MCC of random dictionaries too wide to match again and again. It is below the MMCS of the smaller side in the larger one, because
 * counterparts are taken, and by a share that falls with width like a power: fitted to narrower pairs of the same proportions,
 * multiplied with the exact MMCS at the full width. Against matchings of 16,384 latents (d = 64 and
 * 768, directions without a preferred axis and with eigenvalues like 1/k) it was off by 0.3 % of the value at most.
 */
function extrapolatedPwMcc(
  kind: Kind,
  shape: Shape,
  progress: NullProgress,
): { pwMcc: number; standardError: number; draws: number } {
  const widths = [widestSimulated / 4, widestSimulated / 2, widestSimulated];
  let draws = 0;
  const points = widths.map((width, at) => {
    const latents: Shape = [scaledTo(shape, 0, width), scaledTo(shape, 1, width)];
    const matched = simulated(kind, latents, [6, 4, 2][at], () => {});
    draws += matched.draws;
    progress('matching narrower ones', at + 1, widths.length);
    // Both from the same draws, so that the noise of one is that of the other.
    const short = 1 - matched.pwMcc / matched.nearest;
    return {
      x: Math.log(width),
      y: Math.log(Math.max(1e-9, short)),
      error: matched.standardError / matched.pwMcc,
    };
  });
  const mean = (of: (point: (typeof points)[number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [centre, level] = [mean(({ x }) => x), mean(({ y }) => y)];
  const slope = mean(({ x, y }) => (x - centre) * (y - level)) / mean(({ x }) => (x - centre) ** 2);
  const short = Math.exp(level + slope * (Math.log(Math.max(...shape)) - centre));
  const { mean: mmcs } = shape[0] <= shape[1] ? kind.ofB(shape[1]) : kind.ofA(shape[0]);
  return {
    pwMcc: mmcs * (1 - short),
    standardError: mmcs * Math.max(...points.map(({ error }) => error)),
    draws,
  };
}

function scaledTo(shape: Shape, side: 0 | 1, width: number): number {
  return Math.max(1, Math.round((shape[side] * width) / Math.max(...shape)));
}
