/**
 * Latents of one dictionary in groups by how surely they come back, and random groups to set beside them: the same numbers of latents
 * from the same ranges of density and strength, so that what the groups differ in is not that some fire more.
 */
import type { Random } from '../../../numerics/random.ts';

/** Groups by stability, from the latents that come back least to those that come back most. */
export const groupCount = 10;

/** Latents of a stratum on average; fewer could not be exchanged for one another. */
const stratumSize = 20;
/** Ranges of density, and of strength within each, at most. */
const mostRanges = 10;

export interface LatentUse {
  /** [latents]: tokens on which each fired. */
  readonly firings: Float64Array;
  /** [latents]: largest activation. */
  readonly strength: Float64Array;
}

/**
 * [latents]: the group of each, from 0, and −1 for latents that fired on no token. Groups are of equal size to within one. The order is by
 * `stability`, then by `nearness` (how near the counterparts are on average); what is then still equal is ordered at random.
 */
export function stabilityGroups(
  stability: ArrayLike<number>,
  nearness: ArrayLike<number>,
  { firings }: Pick<LatentUse, 'firings'>,
  random: Random,
): Int8Array {
  const groups = new Int8Array(firings.length).fill(-1);
  const drawn = random.permutation(firings.length);
  const live = liveLatents(firings).sort(
    (i, j) => stability[i] - stability[j] || nearness[i] - nearness[j] || drawn[i] - drawn[j],
  );
  const count = Math.min(groupCount, live.length);
  live.forEach((latent, rank) => (groups[latent] = Math.floor((rank * count) / live.length)));
  return groups;
}

const liveLatents = (firings: Float64Array): number[] => [...firings.keys()].filter((i) => firings[i] > 0);

/** Live latents in strata of like density and, within those, of like strength: quantiles of the one, then of the other. */
export function matchedStrata({ firings, strength }: LatentUse): number[][] {
  const live = liveLatents(firings);
  const ranges = Math.max(1, Math.min(mostRanges, Math.floor(Math.sqrt(live.length / stratumSize))));
  return quantiles(live, firings, ranges).flatMap((range) => quantiles(range, strength, ranges));
}

function quantiles(latents: readonly number[], by: Float64Array, count: number): number[][] {
  const sorted = [...latents].sort((i, j) => by[i] - by[j] || i - j);
  return Array.from({ length: count }, (_, range) =>
    sorted.slice(
      Math.floor((range * sorted.length) / count),
      Math.floor(((range + 1) * sorted.length) / count),
    ),
  );
}

/** The groups with their members exchanged at random within each stratum. */
export function exchangedWithin(
  strata: readonly (readonly number[])[],
  groups: Int8Array,
  random: Random,
): Int8Array {
  const out = Int8Array.from(groups);
  for (const stratum of strata) {
    const order = random.permutation(stratum.length);
    stratum.forEach((latent, at) => (out[latent] = groups[stratum[order[at]]]));
  }
  return out;
}
