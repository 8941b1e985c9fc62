/**
 * The nearest of F′ random directions with the activations' covariance to a random row of the same kind: its expected cosine, which is
 * MMCS by chance, and how often it reaches a threshold. The law of a given row is exact (rowLaw.ts), whatever F′ is; what is
 * sampled is the row alone.
 */
import { Random } from '../../numerics/random.ts';
import { condensedSpectrum } from './condensedSpectrum.ts';
import { largestExceedance } from './isotropicLaw.ts';
import type { DirectionSource } from './randomDirections.ts';
import { rowExceedance } from './rowLaw.ts';

export interface NearestLaw {
  /** Expected cosine, and its standard error over the sampled rows. */
  readonly mean: number;
  readonly standardError: number;
  /** [101]: probability that the nearest reaches the threshold 0, 0.01 … 1. */
  readonly reaches: Float64Array;
}

export interface NearestLawOptions {
  /** Eigenvalues of the covariance of the directions among which the nearest is looked for. */
  eigenvalues: Float64Array;
  /** Where rows come from, in the eigenbasis of those directions. */
  rows: DirectionSource;
  /** F′. */
  count: number;
  seed: number;
  /** Relative standard error at which sampling stops, and the most rows sampled. */
  precision?: number;
  mostRows?: number;
}

const batch = 64;
const negligible = 1e-9;

export function nearestLaw(options: NearestLawOptions): NearestLaw {
  const { eigenvalues, rows, count, seed, precision = 0.002, mostRows = 1024 } = options;
  const random = Random.fromSeed(seed, 'nearest by chance');
  const condensed = condensedSpectrum(eigenvalues);
  const size = condensed.eigenvalues.length;
  let perHundredth = 0;
  let sum = 0;
  let squares = 0;
  let sampled = 0;
  const reaches = new Float64Array(101);
  const mean = () => sum / sampled;
  const error = () => Math.sqrt(Math.max(0, squares / sampled - mean() ** 2) / Math.max(1, sampled - 1));
  while (sampled < mostRows && (sampled < 2 * batch || error() > precision * Math.abs(mean()))) {
    const { data } = rows.draw(batch, random);
    const square = condensed.squares(data);
    for (let row = 0; row < batch; row++) {
      const law = (c: number) =>
        largestExceedance(
          rowExceedance(c, condensed.eigenvalues, square, row * size, condensed.counts),
          count,
        );
      perHundredth ||= stepsPerHundredth(law);
      const { expected, at } = alongGrid(law, perHundredth);
      sum += expected;
      squares += expected * expected;
      for (let i = 0; i <= 100; i++) reaches[i] += at(i * perHundredth);
      sampled++;
    }
  }
  return { mean: mean(), standardError: error(), reaches: reaches.map((value) => value / sampled) };
}

/** Steps for every 0.01 of cosine, so that the law's fall from 0.9 to 0.1 takes at least four; never more than ten, however steep it is. */
function stepsPerHundredth(law: (c: number) => number): number {
  const width = crossing(law, 0.1) - crossing(law, 0.9);
  return Math.min(10, Math.max(1, Math.ceil(0.04 / Math.max(width, 1e-4))));
}

/** The cosine at which the law, which falls from 1 to 0, passes `level`. */
function crossing(law: (c: number) => number, level: number): number {
  let low = -1;
  let high = 1;
  for (let round = 0; round < 20; round++) {
    const middle = (low + high) / 2;
    if (law(middle) > level) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The law on the grid of 0.01/perHundredth, worked out only where it is neither 1 nor 0; `at` takes the number of the step from 0. */
function alongGrid(
  law: (c: number) => number,
  perHundredth: number,
): { expected: number; at: (step: number) => number } {
  const h = 0.01 / perHundredth;
  const most = 100 * perHundredth;
  const start = Math.floor(crossing(law, 0.5) / h);
  const values = new Map<number, number>();
  let top = start + 1;
  for (; top < most; top++) {
    const value = law(top * h);
    if (value < negligible) break;
    values.set(top, value);
  }
  let bottom = start;
  for (; bottom > -most; bottom--) {
    const value = law(bottom * h);
    if (value > 1 - negligible) break;
    values.set(bottom, value);
  }
  // E = ∫ P dc − 1 over [−1, 1] by the trapezoid rule; below the grid P is 1.
  let integral = bottom * h + 0.5 * h;
  for (const value of values.values()) integral += value * h;
  return {
    expected: integral,
    at: (step) => (step <= bottom ? 1 : step >= top ? 0 : (values.get(step) ?? 0)),
  };
}
