/** A matching's quality against its coverage: how good the pairs are that it is surest of (METHODS.md §11). */
import type { Matching } from './matchingMethods.ts';

export interface QualityCoverage {
  /** [points + 1]: mean quality of the surest share n/points of the latents; the first is that of the surest one. */
  readonly curve: Float64Array;
  /** Mean over n of the mean quality of the n surest. */
  readonly area: number;
  /** Mean quality of all latents, those without a counterpart counted as 0. */
  readonly mean: number;
  /** Share of the latents that have a counterpart, and the mean quality of those; NaN where none has. */
  readonly matched: number;
  readonly meanMatched: number;
}

/**
 * `latents` are those of a that are judged, and `quality` of each of its counterpart: 0 for one that has none, which comes last. Equal
 * confidences are ordered by latent. All figures are NaN for no latents.
 */
export function qualityCoverage(
  latents: readonly number[],
  { match, confidence }: Matching,
  quality: (latent: number) => number,
  points = 40,
): QualityCoverage {
  const sure = (i: number) => (match[i] < 0 ? -Infinity : confidence[i]);
  const order = [...latents].sort((i, j) => (sure(i) === sure(j) ? i - j : sure(j) - sure(i)));
  const n = order.length;
  const means = new Float64Array(n);
  let [sum, matched, area] = [0, 0, 0];
  order.forEach((latent, at) => {
    const own = match[latent] < 0 ? 0 : quality(latent);
    if (match[latent] >= 0) matched++;
    sum += own;
    means[at] = sum / (at + 1);
    area += means[at] / n;
  });
  return {
    curve: Float64Array.from({ length: points + 1 }, (_, at) =>
      n === 0 ? NaN : means[Math.max(0, Math.round((at / points) * n) - 1)],
    ),
    area: n === 0 ? NaN : area,
    mean: sum / n,
    matched: matched / n,
    meanMatched: sum / matched,
  };
}
