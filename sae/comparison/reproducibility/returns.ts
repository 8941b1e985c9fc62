/**
 * In how many of the other seeds a latent comes back, and what follows for all latents of all seeds: the curve over the threshold
 * and the curve over the number of seeds. Pure functions of SeedCosines.
 */
import { everySuccess, fitBetaBinomial, type BetaShape } from '../../numerics/betaBinomial.ts';
import type { SeedCosines } from './seedCosines.ts';

/** [latents]: in how many of the others' lists the cosine reaches the threshold. */
export function returnsAt(others: readonly Float32Array[], threshold: number): Int32Array {
  const counts = new Int32Array(others[0].length);
  for (const cosine of others)
    for (let i = 0; i < counts.length; i++) if (cosine[i] >= threshold) counts[i]++;
  return counts;
}

/** Latents of all seeds by the number of other seeds in which they come back, from none to all. */
export function returnHistogram(cosines: SeedCosines, threshold: number): number[] {
  const lists = [...cosines.values()];
  const histogram = Array.from({ length: lists[0].length + 1 }, () => 0);
  for (const others of lists) for (const count of returnsAt(others, threshold)) histogram[count]++;
  return histogram;
}

export interface ReturnShares {
  /** Shares of the latents that come back in every other seed, and in at least one; and the mean share of other seeds. */
  readonly every: number;
  readonly any: number;
  readonly mean: number;
}

export function returnShares(histogram: readonly number[]): ReturnShares {
  const total = histogram.reduce((sum, n) => sum + n, 0);
  const others = histogram.length - 1;
  return {
    every: histogram[others] / total,
    any: 1 - histogram[0] / total,
    mean: histogram.reduce((sum, n, k) => sum + n * k, 0) / (total * others),
  };
}

export interface LearningPoint {
  readonly seeds: number;
  /** Share of a seed's latents that are in every one of `seeds` seeds, averaged over which seeds these are; null beyond those there are. */
  readonly observed: number | null;
  /** The same by the fitted law; null where two seeds can't tell how probabilities are spread. */
  readonly fitted: number | null;
}

export interface LearningCurve {
  readonly points: readonly LearningPoint[];
  readonly law: BetaShape | null;
  /** Seeds from which on one more changes the fitted share by less than a hundredth; null where there is no law or none within the points. */
  readonly enough: number | null;
}

/** How many seeds are drawn out beyond those there are. */
const further = 20;

/** The share in every one of n seeds, for n up to those there are and by the law p ~ Beta(a, b) up to twenty. */
export function learningCurve(histogram: readonly number[]): LearningCurve {
  const others = histogram.length - 1;
  const total = histogram.reduce((sum, n) => sum + n, 0);
  const law = fitBetaBinomial(histogram);
  const points = Array.from({ length: law ? further - 1 : others }, (_, at): LearningPoint => {
    const drawn = at + 1;
    return {
      seeds: drawn + 1,
      observed:
        drawn > others
          ? null
          : histogram.reduce((sum, n, k) => sum + n * allDrawn(k, others, drawn), 0) / total,
      fitted: law && everySuccess(law, drawn),
    };
  });
  const fitted = points.map((point) => point.fitted ?? NaN);
  const settled = fitted.findIndex((share, at) => at + 1 < fitted.length && share - fitted[at + 1] < 0.01);
  return { points, law, enough: settled < 0 ? null : points[settled].seeds };
}

/** C(k, n)/C(m, n): the chance that n of the m other seeds, drawn at random, are all among the k in which a latent comes back. */
function allDrawn(k: number, m: number, n: number): number {
  let chance = 1;
  for (let j = 0; j < n; j++) chance *= Math.max(0, k - j) / (m - j);
  return chance;
}
