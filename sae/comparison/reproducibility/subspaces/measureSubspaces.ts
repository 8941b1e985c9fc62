/**
 * What becomes of the latents that do not come back (METHODS.md §9): do those of one seed lie in the space that those of the others span,
 * beyond what the shape of the activations alone would make of random directions?
 */
import { discoveryLimit } from '../../../numerics/benjaminiHochberg.ts';
import { Random } from '../../../numerics/random.ts';
import { pause } from '../../../pause.ts';
import type { Report } from '../../../progress.ts';
import type { Subspaces } from '../../../spec/reproducibility/subspaces.ts';
import { finishWithPauses, type Steps } from '../../../steps.ts';
import type { DirectionShape } from '../../chance/directionShape.ts';
import { isotropicSource, type DirectionSource } from '../../chance/randomDirections.ts';
import { gather, type Directions } from '../../directions.ts';
import { affinity, entropyRank, leadingSpaceSteps, participationRatio, principalCosinesSteps, shareInside, spanSteps, type Space, type Span } from './leadingSpace.ts'; // prettier-ignore
import { clusterSteps, joinedSteps, type UnstableCluster } from './unstableClusters.ts';

export interface SubspaceOptions {
  /** By seed: unit decoder rows, and which of them are unstable. */
  readonly unstable: ReadonlyMap<number, { readonly rows: Directions; readonly latents: readonly number[] }>;
  /** Of the activations, null where it is not known. */
  readonly activations: DirectionShape | null;
  /** Latents of all seeds together that are clustered at most; the others join them. */
  readonly mostClustered?: number;
  readonly report: Report;
  readonly signal: AbortSignal | undefined;
}

/** Of an unstable latent. */
export interface LatentSubspace {
  /** The share of its squared norm inside the leading space of another seed's unstable latents, on average over the other seeds. */
  readonly share: number;
  /** The probability that a random direction has at least that share. */
  readonly p: number;
  /** Its cluster, from 0, the largest first; −1 where it was not among those clustered. */
  readonly cluster: number;
}

export interface FoundSubspaces {
  readonly report: Subspaces;
  /** By seed and latent. */
  readonly latents: ReadonlyMap<number, ReadonlyMap<number, LatentSubspace>>;
}

const falseDiscoveries = 0.05;
/** Random directions that give each latent its p-value. */
const randomDirections = 9999;
/** Random sets of rows, all pairs of which give the affinity by chance; rows of each for every dimension, and numbers of each, at most. */
const randomSets = 4;
const rowsPerDimension = 32;
const mostNumbers = 2 ** 27;
/** Latents of all seeds together that are clustered at most, at equal distances in their order; products are of all pairs of them. */
const mostClustered = 131_072;
/** Latents that join clusters at once. */
const joinedAtOnce = 16_384;
/** Clusters of which the report says something one by one. */
const mostListed = 50;

/** Null where fewer than two seeds have two unstable latents. */
export async function measureSubspaces(options: SubspaceOptions): Promise<FoundSubspaces | null> {
  const { unstable, activations, report, signal } = options;
  const seeds = [...unstable].flatMap(([seed, { rows, latents }]) =>
    latents.length > 1 ? [{ seed, latents, rows: gather(rows, latents) }] : [],
  );
  if (seeds.length < 2) return null;
  const { d } = seeds[0].rows;
  const source = activations?.source ?? isotropicSource(d);
  const work = <Result>(steps: Steps<Result>) => finishWithPauses(steps, signal, 'comparing subspaces');
  const stages = seeds.length + randomSets + 2;
  let done = 0;
  const step = async () => {
    report({ stage: 'subspaces', done: ++done, total: stages, unit: 'steps' });
    await pause(signal, 'comparing subspaces');
  };

  const spans: Span[] = [];
  for (const { rows } of seeds) {
    spans.push(await work(spanSteps(rows)));
    await step();
  }
  const ranks = spans.map(({ eigenvalues }) => participationRatio(eigenvalues));
  // Spaces of more than half the dimensions meet whatever they are.
  const rank = Math.max(1, Math.min(Math.floor(d / 2), Math.round(mean(ranks))));
  const spaces: Space[] = [];
  for (const span of spans) spaces.push(await work(leadingSpaceSteps(span, rank)));
  const found = await work(averagedSteps(spaces));
  const random: Space[] = [];
  const rows = randomRows(seeds, d);
  for (let set = 0; set < randomSets; set++) {
    random.push(
      await work(randomSpaceSteps(source.draw(rows, Random.fromSeed(set, 'random unstable rows')), rank)),
    );
    await step();
  }
  const chance = await work(averagedSteps(random));
  const components = activations && (await work(withComponents(spaces, activations)));

  const shares = sharesOf(seeds, spaces, source);
  const limit = discoveryLimit(
    shares.flatMap(({ p }) => [...p]),
    falseDiscoveries,
  );
  await step();
  const { listed, clusters, clusterOf, excess } = await clustersOf(seeds, source, {
    most: options.mostClustered ?? mostClustered,
    signal,
  });
  await step();

  const all = shares.flatMap(({ own }) => [...own]);
  return {
    report: {
      null: activations ? 'covariance' : 'isotropic',
      seeds: seeds.map(({ seed, latents }, at) => ({
        seed,
        latents: latents.length,
        participationRatio: ranks[at],
        entropyRank: entropyRank(spans[at].eigenvalues),
      })),
      rank,
      affinity: {
        seeds: affinity(found),
        chance: affinity(chance),
        random: rank / d,
        components,
      },
      cosines: [...found],
      cosinesByChance: [...chance],
      found: {
        share:
          shares.reduce((sum, { p }) => sum + p.filter((value) => value <= limit).length, 0) / all.length,
        inside: mean(all),
        insideByChance: mean(shares.map(({ chance: own }) => own)),
        q: falseDiscoveries,
        p: limit,
      },
      clusters: {
        latents: clusters.reduce((sum, { members }) => sum + members.length, 0),
        count: clusters.length,
        excessByChance: excess,
        found: listed.filter((one) => one.found).length,
        latentsFound: listed.reduce((sum, one) => sum + (one.found ? one.latents : 0), 0),
        largest: listed.slice(0, mostListed),
      },
    },
    latents: new Map(
      seeds.map(({ seed, latents }, at) => [
        seed,
        new Map(
          latents.map((latent, i) => [
            latent,
            { share: shares[at].own[i], p: shares[at].p[i], cluster: clusterOf[at][i] },
          ]),
        ),
      ]),
    ),
  };
}

interface SeedRows {
  readonly seed: number;
  readonly latents: readonly number[];
  readonly rows: Directions;
}

/** The cosines of the principal angles of all pairs, averaged place by place. */
function* averagedSteps(spaces: readonly Space[]): Steps<Float64Array> {
  const pairs: Float64Array[] = [];
  for (const [i, a] of spaces.entries())
    for (const b of spaces.slice(i + 1)) pairs.push(yield* principalCosinesSteps(a, b));
  const length = Math.min(...pairs.map((cosines) => cosines.length));
  return Float64Array.from({ length }, (_, at) => mean(pairs.map((cosines) => cosines[at])));
}

/** As many as a seed has on average, where that is not too many. */
function randomRows(seeds: readonly SeedRows[], d: number): number {
  const rows = Math.round(mean(seeds.map(({ latents }) => latents.length)));
  return Math.min(rows, rowsPerDimension * d, Math.floor(mostNumbers / d));
}

function* randomSpaceSteps(rows: Directions, rank: number): Steps<Space> {
  return yield* leadingSpaceSteps(yield* spanSteps(rows), rank);
}

/** The mean affinity of the spaces with the activations' leading principal components. */
function* withComponents(spaces: readonly Space[], activations: DirectionShape): Steps<number> {
  const { d, rank } = spaces[0];
  const components = { d, rank, vectors: yield* activations.componentSteps(rank) };
  const affinities: number[] = [];
  for (const space of spaces) affinities.push(affinity(yield* principalCosinesSteps(space, components)));
  return mean(affinities);
}

/** Of each seed's rows and of random directions, the mean share inside the spaces of the other seeds, and how rarely chance reaches it. */
function sharesOf(seeds: readonly SeedRows[], spaces: readonly Space[], source: DirectionSource) {
  const drawn = source.draw(randomDirections, Random.fromSeed(0, 'random directions'));
  return seeds.map(({ rows }, at) => {
    const others = spaces.filter((_, other) => other !== at);
    const within = (directions: Directions) => {
      const each = others.map((space) => shareInside(directions, space));
      return each[0].map((_, i) => mean(each.map((share) => share[i])));
    };
    const own = within(rows);
    const random = within(drawn).sort();
    const p = own.map((share) => (1 + random.length - firstAtLeast(random, share)) / (1 + random.length));
    return { own, p, chance: mean(random) };
  });
}

/** The first place of an ascending list that is at least the value. */
function firstAtLeast(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

type ListedCluster = Subspaces['clusters']['largest'][number];

async function clustersOf(
  seeds: readonly SeedRows[],
  source: DirectionSource,
  { most, signal }: { most: number; signal: AbortSignal | undefined },
) {
  const all = seeds.flatMap(({ latents }, at) => latents.map((_, i) => ({ at, i })));
  const step = Math.max(1, all.length / most);
  const some = Array.from({ length: Math.min(all.length, most) }, (_, n) => all[Math.floor(n * step)]);
  const { d } = source;
  const rowsOf = (chosen: typeof all): Directions => {
    const data = new Float32Array(chosen.length * d);
    chosen.forEach(({ at, i }, n) => data.set(seeds[at].rows.data.subarray(i * d, (i + 1) * d), n * d));
    return { rows: chosen.length, d, data };
  };
  const seedOf = Int32Array.from(some, ({ at }) => at);
  const random = source.draw(512, Random.fromSeed(1, 'random directions'));
  const options = { seedOf, seeds: seeds.length, random };
  const work = <Result>(steps: Steps<Result>) =>
    finishWithPauses(steps, signal, 'clustering unstable features');
  const clustered = rowsOf(some);
  const found = await work(clusterSteps(clustered, options));
  const { clusters } = found;
  // Clusters are made of what lies near: random directions, clustered the same way, say how much comes of that alone.
  const byChance = await work(
    clusterSteps(source.draw(some.length, Random.fromSeed(2, 'random directions')), options),
  );
  const excess = weightedQuantile(byChance.clusters, 0.95);
  const clusterOf = seeds.map(({ latents }) => new Int32Array(latents.length).fill(-1));
  some.forEach(({ at, i }, row) => (clusterOf[at][i] = found.of[row]));
  if (some.length < all.length) {
    const rest = all.filter(({ at, i }) => clusterOf[at][i] < 0);
    for (let first = 0; first < rest.length; first += joinedAtOnce) {
      const chosen = rest.slice(first, first + joinedAtOnce);
      const joined = await work(joinedSteps(rowsOf(chosen), clustered, found));
      chosen.forEach(({ at, i }, n) => (clusterOf[at][i] = joined[n]));
    }
  }
  const listed = clusters.map((cluster): ListedCluster => {
    const over = excessOf(cluster);
    return {
      latents: cluster.members.length,
      bySeed: [...cluster.bySeed],
      rank: cluster.rank,
      share: cluster.share,
      chance: cluster.chance,
      found: over !== null && excess !== null && over > excess,
    };
  });
  return { listed, clusters, clusterOf, excess };
}

/** (share − chance)/(1 − chance): 0 for what random directions have in the same spaces, 1 for all inside. */
function excessOf({ share, chance }: UnstableCluster): number | null {
  return share === null || chance === null || chance >= 1 ? null : (share - chance) / (1 - chance);
}

/** Of the excess of clusters, each weighted by its members; null where no cluster has members of two seeds. */
function weightedQuantile(clusters: readonly UnstableCluster[], level: number): number | null {
  const known = clusters
    .flatMap((cluster) => {
      const excess = excessOf(cluster);
      return excess === null ? [] : [{ excess, weight: cluster.members.length }];
    })
    .sort((p, q) => p.excess - q.excess);
  let left = level * known.reduce((sum, { weight }) => sum + weight, 0);
  for (const { excess, weight } of known) if ((left -= weight) <= 0) return excess;
  return null;
}

const mean = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
