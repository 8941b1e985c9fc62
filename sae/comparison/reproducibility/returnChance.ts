/**
 * How often latents would come back if the other seeds were random dictionaries: directions with the covariance of the activations, or
 * with the second moment of another seed's rows, whichever comes near more often (METHODS.md §7). The law of each latent is exact. It is an
 * upper bound of what chance does to shared latents, which must have a nearest row of the encoder there too, and one of their own.
 */
import type { Steps } from '../../steps.ts';
import type { Directions } from '../directions.ts';
import { inEigenbasis, type Spectrum } from '../chance/activationSpectrum.ts';
import { condensedSpectrum } from '../chance/condensedSpectrum.ts';
import { isotropicExceedance, largestExceedance } from '../chance/isotropicLaw.ts';
import { rowExceedance } from '../chance/rowLaw.ts';

/** A probability this near to 0 or 1 is not worked out further along the curve. */
const negligible = 1e-9;
const chunk = 1024;
/** Latents between two places where the work may be interrupted. */
const latentsAtOnce = 16;

export interface ReturnChanceOptions {
  /** Spectra of the random directions; without any they have no preference. */
  spectra: readonly Spectrum[];
  /** Latents of the random dictionary. */
  count: number;
}

/** [rows]: probability that a random dictionary holds a row whose cosine with the latent's reaches the threshold. */
export function* returnChanceSteps(
  rows: Directions,
  threshold: number,
  { spectra, count, progress }: ReturnChanceOptions & { progress?: (done: number) => void },
): Steps<Float64Array> {
  const { d } = rows;
  const out = new Float64Array(rows.rows);
  if (spectra.length === 0) return out.fill(largestExceedance(isotropicExceedance(threshold, d), count));
  for (let from = 0; from < rows.rows; from += chunk) {
    const to = Math.min(rows.rows, from + chunk);
    for (const spectrum of spectra) {
      const law = lawOf(spectrum, rows, from, to);
      for (let i = from; i < to; i++) {
        const single = law(threshold, i - from);
        out[i] = Math.max(out[i], largestExceedance(single, count));
        if (i % latentsAtOnce === 0) yield;
      }
    }
    progress?.(to);
  }
  return out;
}

export interface ReturnChanceCurve {
  /** At thresholds 0, 0.025 … 1: expected shares of latents that come back in every other seed, in at least one, and on average. */
  readonly every: Float64Array;
  readonly any: Float64Array;
  readonly mean: Float64Array;
}

export const curveSteps = 40;

/** The same along the threshold, over `rows`, for `others` random dictionaries that are independent of each other. */
export function* returnChanceCurveSteps(
  rows: Directions,
  others: number,
  { spectra, count }: ReturnChanceOptions,
): Steps<ReturnChanceCurve> {
  const { d } = rows;
  const blank = () => new Float64Array(curveSteps + 1);
  const curve = { every: blank(), any: blank(), mean: blank() };
  const laws = spectra.map((spectrum) => lawOf(spectrum, rows, 0, rows.rows));
  for (let i = 0; i < rows.rows; i++) {
    for (let step = curveSteps, p = 0; step >= 0; step--) {
      // The probability only grows towards smaller thresholds.
      if (p < 1 - negligible) {
        const c = step / curveSteps;
        const singles = laws.map((law) => law(c, i));
        p = largestExceedance(singles.length > 0 ? Math.max(...singles) : isotropicExceedance(c, d), count);
      }
      curve.every[step] += p ** others / rows.rows;
      curve.any[step] += (1 - (1 - p) ** others) / rows.rows;
      curve.mean[step] += p / rows.rows;
    }
    yield;
  }
  return curve;
}

/** P(cos ≥ c) for a direction of the spectrum and row number `i` from `from` on. */
function lawOf(spectrum: Spectrum, { d, data }: Directions, from: number, to: number) {
  const { eigenvalues, counts, squares } = condensedSpectrum(spectrum.eigenvalues);
  const own = squares(inEigenbasis(spectrum, data.subarray(from * d, to * d)));
  return (c: number, i: number) => rowExceedance(c, eigenvalues, own, i * eigenvalues.length, counts);
}

/** P(at least k of m) where each has probability p: the p-value of a latent that comes back in k of m seeds. */
export function atLeast(k: number, m: number, p: number): number {
  let sum = 0;
  let choose = 1;
  for (let j = 0; j <= m; j++) {
    if (j > 0) choose = (choose * (m - j + 1)) / j;
    if (j >= k) sum += choose * p ** j * (1 - p) ** (m - j);
  }
  return Math.min(1, sum);
}
