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
import { leadingSpaceSteps, participationRatioOf, shareInside, spanSteps } from './leadingSpace.ts';

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

export interface FoundClusters {
  /** The largest first. */
  readonly clusters: readonly UnstableCluster[];
  /** [rows]: the number of each row's cluster. */
  readonly of: Int32Array;
  /** [rows]: the least |cos| among a row's nearest others: another direction is among them where it is nearer. */
  readonly reach: Float32Array;
}

export function* clusterSteps(directions: Directions, options: ClusterOptions): Steps<FoundClusters> {
  const { rows } = directions;
  const count = Math.min(neighbours, rows - 1);
  if (count < 1) return { clusters: [], of: new Int32Array(rows), reach: new Float32Array(rows) };
  const nearest = yield* nearestLines(directions, directions, { count, itself: true });
  const [from, to, weight]: number[][] = [[], [], []];
  for (let i = 0; i < rows; i++)
    for (let place = i * count; place < (i + 1) * count; place++) {
      const j = nearest.index[place];
      // Directions that lie near nothing have nearest ones all the same, which do not have them.
      if (j <= i || !nearest.index.subarray(j * count, (j + 1) * count).includes(i)) continue;
      from.push(i);
      to.push(j);
      weight.push(linkWeight(nearest.cosine[place]));
    }
  const communityOf = communities({ points: rows, from, to, weight }, Random.fromSeed(0, 'communities'));
  const members = new Map<number, number[]>();
  communityOf.forEach((community, row) => {
    const own = members.get(community);
    if (own) own.push(row);
    else members.set(community, [row]);
  });
  const clusters: UnstableCluster[] = [];
  for (const own of members.values()) {
    clusters.push(yield* describedSteps(directions, own, options));
    yield;
  }
  clusters.sort((p, q) => q.members.length - p.members.length || p.members[0] - q.members[0]);
  const of = new Int32Array(rows);
  clusters.forEach(({ members: own }, number) => own.forEach((row) => (of[row] = number)));
  const reach = Float32Array.from({ length: rows }, (_, i) => nearest.cosine[(i + 1) * count - 1]);
  return { clusters, of, reach };
}

/**
 * The clusters that further directions belong to: the links that they would have are those to directions of which they would be among the
 * nearest, and each joins the cluster that most of the weight of its links leads to. −1 without a link.
 */
export function* joinedSteps(
  further: Directions,
  clustered: Directions,
  { of, reach, clusters }: FoundClusters,
): Steps<Int32Array> {
  const out = new Int32Array(further.rows).fill(-1);
  const count = Math.min(neighbours, clustered.rows);
  const nearest = yield* nearestLines(further, clustered, { count, itself: false });
  const votes = new Float64Array(clusters.length);
  for (let i = 0; i < further.rows; i++) {
    votes.fill(0);
    for (let place = i * count; place < (i + 1) * count; place++) {
      const [j, cosine] = [nearest.index[place], nearest.cosine[place]];
      if (j < 0 || cosine <= reach[j]) continue;
      votes[of[j]] += linkWeight(cosine);
      if (out[i] < 0 || votes[of[j]] > votes[out[i]]) out[i] = of[j];
    }
  }
  return out;
}

const linkWeight = (cosine: number) => Math.exp(-2 * Math.acos(Math.min(1, cosine)));

/** Of each row of a the `count` rows of b with the largest |cos|, largest first, itself left out where both are the same. */
function* nearestLines(
  a: Directions,
  b: Directions,
  { count, itself }: { count: number; itself: boolean },
): Steps<{ index: Int32Array; cosine: Float32Array }> {
  const kept = Math.min(b.rows, count + (itself ? 1 : 0));
  const along = yield* topPairsSteps({ a, b, perRow: kept, perColumn: 1 });
  const against = yield* topPairsSteps({
    a: { ...a, data: a.data.map((value) => -value) },
    b,
    perRow: kept,
    perColumn: 1,
  });
  const [p, q] = [along.byRow, against.byRow];
  const index = new Int32Array(a.rows * count).fill(-1);
  const cosine = new Float32Array(a.rows * count);
  for (let i = 0; i < a.rows; i++) {
    let [one, other, out] = [i * kept, i * kept, i * count];
    const end = (i + 1) * kept;
    while (out < (i + 1) * count && (one < end || other < end)) {
      const first = other >= end || (one < end && p.score[one] >= q.score[other]);
      const [j, score] = first ? [p.index[one], p.score[one]] : [q.index[other], q.score[other]];
      if (first) one++;
      else other++;
      // Where there are few, the lists of both signs hold the same rows.
      if ((itself && j === i) || j < 0 || index.subarray(i * count, out).includes(j)) continue;
      index[out] = j;
      cosine[out++] = score;
    }
  }
  return { index, cosine };
}

function* describedSteps(
  directions: Directions,
  members: readonly number[],
  { seedOf, seeds, random }: ClusterOptions,
): Steps<UnstableCluster> {
  const bySeed = Array.from({ length: seeds }, (_, seed) => members.filter((row) => seedOf[row] === seed));
  const rank = participationRatioOf(gather(directions, members));
  let [sum, byChance, count] = [0, 0, 0];
  for (const [seed, own] of bySeed.entries()) {
    const others = members.filter((row) => seedOf[row] !== seed);
    if (own.length === 0 || others.length === 0) continue;
    const span = yield* spanSteps(gather(directions, others));
    const space = yield* leadingSpaceSteps(span, Math.max(1, Math.round(rank)));
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
