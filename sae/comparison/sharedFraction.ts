/** The figures quoted of a matching: shared fractions, their curve against the threshold, and mean cosines. */
import type { Counterparts } from './counterparts.ts';
import type { DictionaryMatch } from './matchDictionaries.ts';

/** Tolerance for single precision: the cosine of two copies may come out a few 1e-8 below 1, and must still reach a threshold of 1. */
export const rounding = 1e-6;

function reaches(cosine: number, threshold: number): boolean {
  return cosine >= threshold - rounding;
}

/** Latent i is shared when both matchings give it the same counterpart and both cosines reach the threshold. */
export function sharedLatents({ decoder, encoder }: DictionaryMatch, threshold: number): boolean[] {
  return Array.from(decoder.match, (j, i) => {
    if (j < 0 || encoder.match[i] !== j) return false;
    return reaches(decoder.cosine[i], threshold) && reaches(encoder.cosine[i], threshold);
  });
}

/** Share of the latents of a whose counterpart reaches the threshold. */
export function matchedFraction({ cosine }: Counterparts, threshold: number): number {
  let count = 0;
  for (const value of cosine) if (reaches(value, threshold)) count++;
  return count / cosine.length;
}

/** Columns of curve.parquet, one row for each threshold. `greedy` is by the greedy decoder matching, to compare with `decoder`. */
export interface SharedCurve {
  threshold: Float64Array;
  shared: Float64Array;
  decoder: Float64Array;
  encoder: Float64Array;
  greedy: Float64Array;
}

/** Shared fractions of the latents of a at thresholds 0, 0.01 … 1. */
export function sharedCurve(match: DictionaryMatch): SharedCurve {
  const threshold = Float64Array.from({ length: 101 }, (_, i) => i / 100);
  const along = (fraction: (t: number) => number) => threshold.map(fraction);
  const agreeing = match.decoder.cosine.map((cosine, i) =>
    match.decoder.match[i] === match.encoder.match[i] ? Math.min(cosine, match.encoder.cosine[i]) : NaN,
  );
  return {
    threshold,
    shared: along((t) => matchedFraction({ match: match.decoder.match, cosine: agreeing }, t)),
    decoder: along((t) => matchedFraction(match.decoder, t)),
    encoder: along((t) => matchedFraction(match.encoder, t)),
    greedy: along((t) => matchedFraction(match.greedy, t)),
  };
}

/** Mean cosine over the latents that have a counterpart: MMCS for `nearest`, PW-MCC (2505.20254) for the optimal `decoder` matching. */
export function meanCosine({ cosine }: Counterparts): number {
  let sum = 0;
  let count = 0;
  for (const value of cosine) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}
