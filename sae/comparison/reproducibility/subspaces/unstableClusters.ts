/**
 * Clusters of the unstable latents of all seeds: communities of the graph in which two directions are linked where each is among the
 * other's nearest by the absolute value of the cosine, much as thresholding-based subspace clustering does it (Heckel & Bölcskei,
 * 1307.4891). Communities are Louvain's, so that nobody must say how many there are.
 */
import { communities } from '../../../numerics/communities.ts';
import { Random } from '../../../numerics/random.ts';
import { topPairsSteps } from '../../../ops/topPairs.ts';
import type { Steps } from '../../../steps.ts';
import { gather, type Directions } from '../../directions.ts';
import { leadingSpace, participationRatio, shareInside, spanOf } from './leadingSpace.ts';

export interface UnstableCluster {
  /** Rows of `directions`. */
  readonly members: readonly number[];
  /** Members of each seed. */
  readonly bySeed: readonly number[];
  /** Participation ratio of all members. */
  readonly rank: number;
  /**
   * The mean over members of the share of the squared norm that lies inside the leading dimensions, as many as `rank`, of the members of
   * the other seeds; null where only one seed has members.
   */
  readonly share: number | null;
  /** The same mean for random directions in these spaces; null with it. */
  readonly chance: number | null;
}

/** Nearest others that a direction is linked with. */
const neighbours = 24;

export interface ClusterOptions {
  /** [rows]: whose each row is, from 0. */
  readonly seedOf: Int32Array;
  readonly seeds: number;
  /** Random directions to put beside the members. */
  readonly random: Directions;
}

/** Largest clusters first. */
export function* clusterSteps(directions: Directions, options: ClusterOptions): Steps<UnstableCluster[]> {
  const { rows } = directions;
  const count = Math.min(neighbours, rows - 1);
  if (count < 1) return [];
  const nearest = yield* nearestLines(directions, count);
  const [from, to, weight]: number[][] = [[], [], []];
  for (let i = 0; i < rows; i++)
    for (const [j, cosine] of nearest[i]) {
      // Directions that lie near nothing have nearest ones all the same, which do not have them.
      if (j < i || !nearest[j].has(i)) continue;
      from.push(i);
      to.push(j);
      weight.push(Math.exp(-2 * Math.acos(Math.min(1, cosine))));
    }
  const of = communities({ points: rows, from, to, weight }, Random.fromSeed(0, 'communities'));
  const members = new Map<number, number[]>();
  of.forEach((community, row) => {
    const own = members.get(community);
    if (own) own.push(row);
    else members.set(community, [row]);
  });
  const clusters: UnstableCluster[] = [];
  for (const own of members.values()) {
    clusters.push(clusterOf(directions, own, options));
    yield;
  }
  return clusters.sort((p, q) => q.members.length - p.members.length || p.members[0] - q.members[0]);
}

/** Of each row its `count` nearest others and the absolute values of their cosines. */
function* nearestLines({ rows, d, data }: Directions, count: number): Steps<Map<number, number>[]> {
  const both = new Float32Array(2 * data.length);
  both.set(data);
  data.forEach((value, at) => (both[data.length + at] = -value));
  const { byRow } = yield* topPairsSteps({
    a: { rows, d, data },
    b: { rows: 2 * rows, d, data: both },
    perRow: count + 1,
    perColumn: 1,
  });
  return Array.from({ length: rows }, (_, i) => {
    const found = new Map<number, number>();
    for (let place = i * (count + 1); place < (i + 1) * (count + 1) && found.size < count; place++) {
      const other = byRow.index[place] % rows;
      if (other !== i) found.set(other, byRow.score[place]);
    }
    return found;
  });
}

function clusterOf(
  directions: Directions,
  members: readonly number[],
  { seedOf, seeds, random }: ClusterOptions,
): UnstableCluster {
  const bySeed = Array.from({ length: seeds }, (_, seed) => members.filter((row) => seedOf[row] === seed));
  const rank = participationRatio(spanOf(gather(directions, members)).eigenvalues);
  let [sum, byChance, count] = [0, 0, 0];
  for (const [seed, own] of bySeed.entries()) {
    const others = members.filter((row) => seedOf[row] !== seed);
    if (own.length === 0 || others.length === 0) continue;
    const space = leadingSpace(spanOf(gather(directions, others)), Math.max(1, Math.round(rank)));
    sum += total(shareInside(gather(directions, own), space));
    byChance += (own.length * total(shareInside(random, space))) / random.rows;
    count += own.length;
  }
  return {
    members,
    bySeed: bySeed.map(({ length }) => length),
    rank,
    share: count > 0 ? sum / count : null,
    chance: count > 0 ? byChance / count : null,
  };
}

const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0);
