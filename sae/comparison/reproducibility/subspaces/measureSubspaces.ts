/**
 * What becomes of the latents that do not come back (METHODS.md §9): do those of one seed lie in the space that those of the others span,
 * beyond what the shape of the activations alone would make of random directions?
 */
import { discoveryLimit } from '../../../numerics/benjaminiHochberg.ts';
import { Random } from '../../../numerics/random.ts';
import { pause } from '../../../pause.ts';
import type { Report } from '../../../progress.ts';
import type { Subspaces } from '../../../spec/reproducibility/subspaces.ts';
import { finishWithPauses } from '../../../steps.ts';
import { maximumSpectrumWidth, type Spectrum } from '../../chance/activationSpectrum.ts';
import { covarianceSource, isotropicSource, type DirectionSource } from '../../chance/randomDirections.ts';
import { gather, type Directions } from '../../directions.ts';
import { affinity, entropyRank, leadingSpace, participationRatio, principalCosines, shareInside, spanOf, type Space, type Span } from './leadingSpace.ts'; // prettier-ignore
import { clusterSteps, type UnstableCluster } from './unstableClusters.ts';

export interface SubspaceOptions {
  /** By seed: unit decoder rows, and which of them are unstable. */
  readonly unstable: ReadonlyMap<number, { readonly rows: Directions; readonly latents: readonly number[] }>;
  /** Of the activations, null where it is not known. */
  readonly activations: Spectrum | null;
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
/** Random sets of rows, all pairs of which give the affinity by chance, and rows of each for every dimension, at most. */
const randomSets = 4;
const rowsPerDimension = 32;
/** Latents of all seeds together that are clustered at most, at equal distances in their order. */
const mostClustered = 16_384;
/** Clusters of which the report says something one by one. */
const mostListed = 50;

/** Null for activations too wide, and where fewer than two seeds have two unstable latents. */
export async function measureSubspaces(options: SubspaceOptions): Promise<FoundSubspaces | null> {
  const { unstable, activations, report, signal } = options;
  const seeds = [...unstable].flatMap(([seed, { rows, latents }]) =>
    latents.length > 1 ? [{ seed, latents, rows: gather(rows, latents) }] : [],
  );
  if (seeds.length < 2 || seeds[0].rows.d > maximumSpectrumWidth) return null;
  const { d } = seeds[0].rows;
  const source = activations ? covarianceSource(activations, standardBasis(d)) : isotropicSource(d);
  const stages = seeds.length + randomSets + 2;
  let done = 0;
  const step = async () => {
    report({ stage: 'subspaces', done: ++done, total: stages, unit: 'steps' });
    await pause(signal, 'comparing subspaces');
  };

  const spans: Span[] = [];
  for (const { rows } of seeds) {
    spans.push(spanOf(rows));
    await step();
  }
  const ranks = spans.map(({ eigenvalues }) => participationRatio(eigenvalues));
  // Spaces of more than half the dimensions meet whatever they are.
  const rank = Math.max(1, Math.min(Math.floor(d / 2), Math.round(mean(ranks))));
  const spaces = spans.map((span) => leadingSpace(span, rank));
  const found = averaged(spaces);
  const chance = averaged(await randomSpaces(source, seeds, rank, step));
  const components = activations && {
    d,
    rank,
    vectors: activations.vectors.slice(0, rank * d),
  };

  const shares = sharesOf(seeds, spaces, source);
  const limit = discoveryLimit(
    shares.flatMap(({ p }) => [...p]),
    falseDiscoveries,
  );
  await step();
  const { listed, clusters, clusterOf, excess } = await clustersOf(seeds, source, signal);
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
        components: components && mean(spaces.map((space) => affinity(principalCosines(space, components)))),
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

/** In which random directions come out as they are, rather than in the eigenbasis of their covariance. */
function standardBasis(d: number): Spectrum {
  const vectors = new Float32Array(d * d);
  for (let i = 0; i < d; i++) vectors[i * d + i] = 1;
  return { d, eigenvalues: new Float64Array(d).fill(1), vectors };
}

/** The cosines of the principal angles of all pairs, averaged place by place. */
function averaged(spaces: readonly Space[]): Float64Array {
  const pairs = spaces.flatMap((a, i) => spaces.slice(i + 1).map((b) => principalCosines(a, b)));
  const length = Math.min(...pairs.map((cosines) => cosines.length));
  return Float64Array.from({ length }, (_, at) => mean(pairs.map((cosines) => cosines[at])));
}

async function randomSpaces(
  source: DirectionSource,
  seeds: readonly SeedRows[],
  rank: number,
  step: () => Promise<void>,
): Promise<Space[]> {
  const rows = Math.round(mean(seeds.map(({ latents }) => latents.length)));
  const spaces: Space[] = [];
  for (let set = 0; set < randomSets; set++) {
    const drawn = source.draw(
      Math.min(rows, rowsPerDimension * source.d),
      Random.fromSeed(set, 'random unstable rows'),
    );
    spaces.push(leadingSpace(spanOf(drawn), rank));
    await step();
  }
  return spaces;
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
  signal: AbortSignal | undefined,
) {
  const all = seeds.flatMap(({ latents }, at) => latents.map((_, i) => ({ at, i })));
  const step = Math.max(1, all.length / mostClustered);
  const some = Array.from(
    { length: Math.min(all.length, mostClustered) },
    (_, n) => all[Math.floor(n * step)],
  );
  const { d } = source;
  const data = new Float32Array(some.length * d);
  some.forEach(({ at, i }, n) => data.set(seeds[at].rows.data.subarray(i * d, (i + 1) * d), n * d));
  const seedOf = Int32Array.from(some, ({ at }) => at);
  const random = source.draw(512, Random.fromSeed(1, 'random directions'));
  const options = { seedOf, seeds: seeds.length, random };
  const work = (directions: Directions) =>
    finishWithPauses(clusterSteps(directions, options), signal, 'clustering unstable features');
  const clusters = await work({ rows: some.length, d, data });
  // Clusters are made of what lies near: random directions, clustered the same way, say how much comes of that alone.
  const byChance = await work(source.draw(some.length, Random.fromSeed(2, 'random directions')));
  const excess = weightedQuantile(byChance, 0.95);
  const clusterOf = seeds.map(({ latents }) => new Int32Array(latents.length).fill(-1));
  clusters.forEach(({ members }, number) => {
    for (const row of members) clusterOf[some[row].at][some[row].i] = number;
  });
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
