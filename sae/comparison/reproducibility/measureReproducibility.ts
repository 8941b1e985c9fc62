/** The reproducibility report of a run: every latent of every seed beside all other seeds, and beside chance (METHODS.md §9). */
import { existsSync, readdirSync } from 'node:fs';
import { LazyscopeError } from '../../errors.ts';
import { discoveryLimit } from '../../numerics/benjaminiHochberg.ts';
import { jeffreysInterval } from '../../numerics/jeffreysInterval.ts';
import { throwIfStopped } from '../../pause.ts';
import { silent, type Report } from '../../progress.ts';
import { sharedThreshold } from '../../spec/comparisonDefaults.ts';
import { comparisonKind, type ComparisonManifest } from '../../spec/manifests/comparison.ts';
import { reproducibilityKind, type Reproducibility } from '../../spec/manifests/reproducibility.ts';
import { runKind } from '../../spec/manifests/run.ts';
import { namePattern } from '../../spec/names.ts';
import { reproducibilityTable } from '../../spec/tables/reproducibility.ts';
import { reproducibilityCurveTable } from '../../spec/tables/reproducibilityCurve.ts';
import type { StoreLayout } from '../../store/layout.ts';
import { withLock } from '../../store/lock.ts';
import { writeParquet } from '../../store/parquet.ts';
import { readManifest } from '../../store/readManifest.ts';
import { removeStored } from '../../store/remote/bringIn.ts';
import { writeManifest } from '../../store/writeManifest.ts';
import type { Directions } from '../directions.ts';
import { indexedLatents, type IndexedLatents } from './indexedLatents.ts';
import { matchedControls } from './matchedControls.ts';
import { decoderRows, runChance, type RunChance } from './reproducibilityChance.ts';
import { atLeast, curveSteps } from './returnChance.ts';
import { learningCurve, returnHistogram, returnsAt, returnShares } from './returns.ts';
import { comparisonsOfSeeds, readSeedCosines, type SeedCosines } from './seedCosines.ts';
import { measureSubspaces, type FoundSubspaces, type SubspaceOptions } from './subspaces/measureSubspaces.ts';
import { measureWorth, type WorthOptions } from './worth/measureWorth.ts';

export interface ReproducibilityOptions {
  store: StoreLayout;
  run: string;
  /** Both cosines of a latent that comes back are at least this. */
  threshold?: number;
  /** Also say what stability is worth, with this model, which the run's capture was made with. */
  worth?: Pick<WorthOptions, 'model' | 'maxTokens' | 'lossTokens' | 'draws' | 'sample'> | undefined;
  report?: Report;
  signal?: AbortSignal;
}

const falseDiscoveries = 0.05;

/**
 * Writes reproducibility.json, the curve and a table for each seed. Every pair of the run's seeds must have been compared.
 *
 * Throws 'bad_input' for a run with one seed, for a pair not compared and for a threshold outside [0, 1], and what readers throw.
 */
export async function measureReproducibility(options: ReproducibilityOptions): Promise<Reproducibility> {
  const { store, run: name, threshold = sharedThreshold, report = silent, signal } = options;
  const started = performance.now();
  if (!(threshold >= 0 && threshold <= 1))
    throw new LazyscopeError('bad_input', `The threshold is a cosine between 0 and 1, but got ${threshold}.`);
  const run = await readManifest(store.runManifest(name), runKind);
  const { seeds, width } = run.config;
  if (seeds.length < 2)
    throw new LazyscopeError(
      'bad_input',
      `Run '${name}' has one seed only: train a run with several, for example with --seeds 0-4.`,
    );
  return withLock(store.run(name), `measure the reproducibility of ${name}`, async () => {
    const comparisons = comparisonsOfSeeds(name, seeds, await storedComparisons(store));
    const cosines = await readSeedCosines(store, seeds, comparisons);
    const chance = await runChance(run, threshold, { store, report, signal });
    const found = { seeds, cosines, chance, threshold };
    const pValues = pValuesOf(found);
    const all = Float64Array.from([...pValues.values()].flatMap((own) => [...own]));
    const limit = discoveryLimit(all, falseDiscoveries);
    const stability = stabilities(found);
    const live = await indexedLatents(store, name, stability);
    const controls = live && matchedControls(live);
    throwIfStopped(signal, 'measuring reproducibility');
    const unstable = await unstableRows(store, name, { stability, live });
    const subspaces = await measureSubspaces({
      unstable,
      activations: chance.activations,
      report,
      signal,
    });
    // A report of an earlier measurement must not vouch for the tables of this one.
    const before = await earlier(store, name);
    await removeStored(store.reproducibility(name));
    const worth = options.worth
      ? await measureWorth({
          store,
          run: name,
          stability: orderOf(found, stability),
          ...options.worth,
          report,
          signal,
        })
      : stillWorth(before, { threshold, comparisons });
    const document: Reproducibility = {
      version: 1,
      run: name,
      createdAt: new Date().toISOString(),
      seeds: [...seeds],
      latents: width,
      threshold,
      comparisons: comparisons.map(({ name: comparison, createdAt }) => ({ name: comparison, createdAt })),
      ...figuresOf(found, width),
      beyond: { share: all.filter((p) => p <= limit).length / all.length, q: falseDiscoveries, p: limit },
      null: chance.null,
      controls: controls && {
        explained: controls.explained,
        pairs: controls.pairs,
        differences: [...controls.differences],
      },
      ...(worth && { worth }),
      ...(subspaces && { subspaces: subspaces.report }),
      seconds: (performance.now() - started) / 1000,
    };
    for (const seed of seeds) {
      const expected = new Float64Array(width).fill(NaN);
      live?.seed.forEach((of, at) => {
        if (of === seed) expected[live.latent[at]] = controls?.expected[at] ?? NaN;
      });
      await writeSeed(store, name, seed, { ...found, pValues, expected, subspaces });
    }
    await writeCurve(store, name, found);
    await writeManifest(store.reproducibility(name), reproducibilityKind, document);
    return document;
  });
}

interface Found {
  readonly seeds: readonly number[];
  readonly cosines: SeedCosines;
  readonly chance: RunChance;
  readonly threshold: number;
}

const bySeed = <Value>(map: ReadonlyMap<number, Value>, seed: number): Value => {
  const value = map.get(seed);
  if (value === undefined) throw new RangeError(`nothing was measured of seed ${seed}`);
  return value;
};

function stabilities({ seeds, cosines, threshold }: Found): Map<number, Float64Array> {
  return new Map(
    seeds.map((seed) => [
      seed,
      Float64Array.from(returnsAt(bySeed(cosines, seed), threshold), (count) => count / (seeds.length - 1)),
    ]),
  );
}

/** What orders latents by how surely they come back: the share of seeds, and where that is equal the mean cosine with the counterparts. */
function orderOf(
  { seeds, cosines }: Found,
  stability: ReadonlyMap<number, Float64Array>,
): WorthOptions['stability'] {
  return new Map(
    seeds.map((seed) => {
      const own = bySeed(cosines, seed);
      const nearness = Float64Array.from(own[0], (_, i) =>
        own.reduce((sum, cosine) => sum + Math.max(0, cosine[i]) / own.length, 0),
      );
      return [seed, { returns: bySeed(stability, seed), nearness }];
    }),
  );
}

async function earlier(store: StoreLayout, run: string): Promise<Reproducibility | null> {
  return existsSync(store.reproducibility(run))
    ? readManifest(store.reproducibility(run), reproducibilityKind)
    : null;
}

/** What was measured before, where the groups would be the same: then there is no need to measure it again. */
function stillWorth(
  before: Reproducibility | null,
  now: Pick<Reproducibility, 'threshold' | 'comparisons'>,
): Reproducibility['worth'] {
  const facts = ({ threshold, comparisons }: Pick<Reproducibility, 'threshold' | 'comparisons'>) =>
    JSON.stringify([threshold, comparisons.map(({ name, createdAt }) => [name, createdAt])]);
  return before && facts(before) === facts(now) ? before.worth : undefined;
}

function pValuesOf({ seeds, cosines, chance, threshold }: Found): Map<number, Float64Array> {
  return new Map(
    seeds.map((seed) => {
      const single = bySeed(chance.latents, seed);
      const counts = returnsAt(bySeed(cosines, seed), threshold);
      return [seed, Float64Array.from(counts, (count, i) => atLeast(count, seeds.length - 1, single[i]))];
    }),
  );
}

function figuresOf({ seeds, cosines, chance, threshold }: Found, width: number) {
  const others = seeds.length - 1;
  const histogram = returnHistogram(cosines, threshold);
  const shares = returnShares(histogram);
  const singles = [...chance.latents.values()].flatMap((own) => [...own]);
  const byChance = (of: (p: number) => number) =>
    Math.min(1, singles.reduce((sum, p) => sum + of(p), 0) / singles.length);
  const [low, high] = jeffreysInterval(Math.round(shares.every * width), width);
  const { points, law, enough } = learningCurve(histogram);
  return {
    histogram,
    every: { share: shares.every, low, high, chance: byChance((p) => p ** others) },
    any: { share: shares.any, chance: byChance((p) => 1 - (1 - p) ** others) },
    mean: { share: shares.mean, chance: byChance((p) => p) },
    bySeed: seeds.map((seed) => ({
      seed,
      ...returnShares(returnHistogram(new Map([[seed, bySeed(cosines, seed)]]), threshold)),
    })),
    learning: { points: points.map((point) => ({ ...point })), law: law && { ...law }, enough },
  };
}

async function writeSeed(
  store: StoreLayout,
  run: string,
  seed: number,
  found: Found & {
    pValues: ReadonlyMap<number, Float64Array>;
    expected: Float64Array;
    subspaces: FoundSubspaces | null;
  },
): Promise<void> {
  const subspace = found.subspaces?.latents.get(seed);
  const ofSubspace = (key: 'share' | 'p') =>
    Float64Array.from(bySeed(found.cosines, seed)[0], (_, i) => subspace?.get(i)?.[key] ?? NaN);
  const own = bySeed(found.cosines, seed);
  const others = own.length;
  const returned = returnsAt(own, found.threshold);
  const intervals = Array.from({ length: others + 1 }, (_, count) => jeffreysInterval(count, others));
  const reached = (of: (...cosines: number[]) => number) =>
    Float64Array.from(returned, (_, i) => {
      const cosine = of(...own.map((list) => list[i]));
      return cosine < 0 ? NaN : cosine;
    });
  await writeParquet(store.reproducibilityOfSeed(run, seed), reproducibilityTable, {
    latent: returned.map((_, i) => i),
    returned,
    others: returned.map(() => others),
    stability: Float64Array.from(returned, (count) => count / others),
    low: Float64Array.from(returned, (count) => intervals[count][0]),
    high: Float64Array.from(returned, (count) => intervals[count][1]),
    everySeed: reached(Math.min),
    anySeed: reached(Math.max),
    chance: bySeed(found.chance.latents, seed),
    chanceP: bySeed(found.pValues, seed),
    matchedStability: found.expected,
    subspaceShare: ofSubspace('share'),
    subspaceP: ofSubspace('p'),
    cluster: Float64Array.from(returned, (_, i) => 1 + (subspace?.get(i)?.cluster ?? NaN) || NaN),
  });
}

/** Latents that come back in fewer than half of the other seeds, and that are not known to be dead. */
async function unstableRows(
  store: StoreLayout,
  run: string,
  { stability, live }: { stability: ReadonlyMap<number, Float64Array>; live: IndexedLatents | null },
): Promise<SubspaceOptions['unstable']> {
  const alive = new Set(live ? Array.from(live.latent, (latent, at) => `${live.seed[at]} ${latent}`) : []);
  const found = new Map<number, { rows: Directions; latents: number[] }>();
  for (const [seed, own] of stability) {
    const latents = [...own.keys()].filter(
      (latent) => own[latent] < 0.5 && (!live || alive.has(`${seed} ${latent}`)),
    );
    found.set(seed, { rows: await decoderRows(store, run, seed), latents });
  }
  return found;
}

async function writeCurve(store: StoreLayout, run: string, { cosines, chance }: Found): Promise<void> {
  const threshold = chance.curve.every.map((_, step) => step / curveSteps);
  const shares = [...threshold].map((t) => returnShares(returnHistogram(cosines, t)));
  await writeParquet(store.reproducibilityCurve(run), reproducibilityCurveTable, {
    threshold,
    every: shares.map(({ every }) => every),
    any: shares.map(({ any }) => any),
    mean: shares.map(({ mean }) => mean),
    everyByChance: chance.curve.every,
    anyByChance: chance.curve.any,
    meanByChance: chance.curve.mean,
  });
}

async function storedComparisons(store: StoreLayout): Promise<ComparisonManifest[]> {
  if (!existsSync(store.comparisons())) return [];
  const names = readdirSync(store.comparisons()).filter(
    (name) => namePattern.test(name) && existsSync(store.comparisonManifest(name)),
  );
  return Promise.all(names.map((name) => readManifest(store.comparisonManifest(name), comparisonKind)));
}
