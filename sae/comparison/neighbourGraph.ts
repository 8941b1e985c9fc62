/**
 * The weighted neighbour graph of UMAP (McInnes, Healy & Melville, 1802.03426, section 3.1): each point's nearest
 * points, weighted so that every point is equally well connected whatever the density around it, and made symmetric.
 * In typed arrays: at 131,072 points a graph of JavaScript objects takes gigabytes.
 */
import { topPairsSteps } from '../ops/topPairs.ts';
import { finish, type Steps } from '../steps.ts';
import type { Directions } from './directions.ts';

/** A weighted undirected graph with every edge listed once. */
export interface NeighbourGraph {
  readonly points: number;
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** [edges]: membership strengths in (0, 1]. */
  readonly weight: Float32Array;
}

/** [points, count]: the `count` nearest other points of each point, nearest first, and their distances 1 − cosine. */
export interface Nearest {
  readonly count: number;
  readonly index: Int32Array;
  readonly distance: Float32Array;
}

/** `points` has unit rows. Needs more than `count` points. */
export function nearestDirections(
  points: Directions,
  count: number,
  progress?: (rows: number) => void,
): Nearest {
  return finish(nearestSteps(points, count, progress));
}

export function* nearestSteps(
  points: Directions,
  count: number,
  progress?: (rows: number) => void,
): Steps<Nearest> {
  const { byRow } = yield* topPairsSteps({ a: points, b: points, perRow: count + 1, perColumn: 1, progress });
  const index = new Int32Array(points.rows * count);
  const distance = new Float32Array(points.rows * count);
  for (let i = 0; i < points.rows; i++) {
    let out = i * count;
    for (let place = i * (count + 1); place < (i + 1) * (count + 1) && out < (i + 1) * count; place++) {
      // The point itself is among its nearest, though duplicates of it may come first.
      if (byRow.index[place] === i) continue;
      index[out] = byRow.index[place];
      distance[out++] = Math.max(0, 1 - byRow.score[place]);
    }
  }
  return { count, index, distance };
}

export function neighbourGraph({ count, index, distance }: Nearest): NeighbourGraph {
  const points = index.length / count;
  const strength = new Float32Array(index.length);
  for (let i = 0; i < points; i++) memberships(distance, strength, i * count, count);
  const from: number[] = [];
  const to: number[] = [];
  const weight: number[] = [];
  for (let i = 0; i < points; i++)
    for (let at = i * count; at < (i + 1) * count; at++) {
      const j = index[at];
      const back = index.subarray(j * count, (j + 1) * count).indexOf(i);
      // This edge was added from its other end already.
      if (back >= 0 && j < i) continue;
      const other = back < 0 ? 0 : strength[j * count + back];
      from.push(i);
      to.push(j);
      weight.push(strength[at] + other - strength[at] * other);
    }
  return {
    points,
    from: Int32Array.from(from),
    to: Int32Array.from(to),
    weight: Float32Array.from(weight),
  };
}

/** exp(−(distance − ρ)/σ) with ρ the nearest distance above 0 and σ such that the memberships of a point add up to log₂ of their number. */
function memberships(distance: Float32Array, strength: Float32Array, first: number, count: number): void {
  const end = first + count;
  let nearest = 0;
  for (let at = first; at < end && nearest === 0; at++) nearest = distance[at];
  const sum = (sigma: number) => {
    let total = 0;
    for (let at = first; at < end; at++) total += Math.exp(-Math.max(0, distance[at] - nearest) / sigma);
    return total;
  };
  const wanted = Math.log2(count);
  let low = 0;
  let high = 1;
  while (sum(high) < wanted && high < 1e6) high *= 2;
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (sum(middle) > wanted) high = middle;
    else low = middle;
  }
  for (let at = first; at < end; at++)
    strength[at] = Math.exp(-Math.max(0, distance[at] - nearest) / Math.max(high, 1e-6));
}
