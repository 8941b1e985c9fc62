/** Stability of the features of a run over its seeds. */
import { existsSync, statSync } from 'node:fs';
import { dictionaryKey } from '../../sae/comparison/dictionaryKey.ts';
import { latentStability, uniqueLatents } from '../../sae/comparison/stability.ts';
import { stabilityTrend } from '../../sae/comparison/stabilityTrend.ts';
import type { SharedLink } from '../../sae/comparison/stability.ts';
import { featureTable } from '../../sae/spec/tables/features.ts';
import { someOf } from '../../sae/spec/tables/table.ts';
import { queryColumns } from '../../sae/store/readColumns.ts';
import { columnList, storedTable } from '../../sae/store/tableSql.ts';
import type { ServerContext } from '../context.ts';
import type { Stability } from '../contract/comparisons.ts';
import { runManifest } from './dictionaries.ts';
import type { SeedStability } from './seedStability.ts';

const trendGroups = 10;
const plotted = someOf(featureTable, 'latent', 'density', 'maxActivation');

interface KeptStability {
  /** Of what it was computed from. */
  stamp: string;
  result: Promise<Stability>;
}
/** Runs whose stability is kept, the least recently asked for going first. */
const mostKept = 100;
const kept = new WeakMap<SeedStability, Map<string, KeptStability>>();

/** Kept until a comparison or an index of the run is made again. */
export async function stability(server: ServerContext, { runName }: { runName: string }): Promise<Stability> {
  const ofServer = kept.get(server.seedStability) ?? new Map<string, KeptStability>();
  kept.set(server.seedStability, ofServer);
  const stamp = await stampOf(server, runName);
  let one = ofServer.get(runName);
  ofServer.delete(runName);
  if (one?.stamp !== stamp) one = { stamp, result: computed(server, runName) };
  ofServer.set(runName, one);
  if (ofServer.size > mostKept)
    for (const oldest of [...ofServer.keys()].slice(0, -mostKept)) ofServer.delete(oldest);
  try {
    return await one.result;
  } catch (error) {
    if (ofServer.get(runName) === one) ofServer.delete(runName);
    throw error;
  }
}

async function stampOf(server: ServerContext, runName: string): Promise<string> {
  const { store, seedStability } = server;
  const { config } = await runManifest(server, runName);
  const { manifests } = await seedStability.comparisons();
  const files = [
    ...config.seeds.map((seed) => store.features(runName, seed)),
    ...manifests
      .filter(({ a, b }) => a.run === runName && b.run === runName)
      .flatMap(({ name }) => [store.comparisonManifest(name), store.comparisonMatches(name)]),
  ];
  const stamps = files.map((path) => {
    const found = statSync(path, { throwIfNoEntry: false });
    return found ? [path, found.ino, found.mtimeMs, found.size] : [path];
  });
  return JSON.stringify([config, stamps]);
}

async function computed(server: ServerContext, runName: string): Promise<Stability> {
  const { pairs, links, seeds, dictionaries, perSeed } = await overSeeds(server, runName);
  const counts = new Map<number, number>();
  for (const { stability } of perSeed)
    for (const share of stability) counts.set(share, (counts.get(share) ?? 0) + 1);
  const thresholds = new Set(pairs.map((pair) => pair.threshold));
  return {
    runName,
    seeds,
    pairs: pairs.map(({ name, a, b, shared, mmcs }) => ({
      comparison: name,
      a: a.seed,
      b: b.seed,
      shared,
      mmcs,
    })),
    threshold: thresholds.size === 1 ? pairs[0].threshold : null,
    histogram: [...counts].sort(([a], [b]) => a - b).map(([stability, latents]) => ({ stability, latents })),
    trends: trends(await liveLatents(server, runName)),
    unique: everyPairCompared(seeds.length, links) ? uniqueLatents(dictionaries, links) : [],
  };
}

function everyPairCompared(seeds: number, links: readonly SharedLink[]): boolean {
  return seeds > 1 && links.length === (seeds * (seeds - 1)) / 2;
}

/** All compared pairs of a run's seeds, and each latent's stability over them. */
async function overSeeds(server: ServerContext, runName: string) {
  const { config } = await runManifest(server, runName);
  const comparisons = (await server.seedStability.comparisons()).manifests
    .filter(({ a, b }) => a.run === runName && b.run === runName && a.seed !== b.seed)
    .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  // A pair compared twice counts once, by its newest comparison.
  const pairs = [...new Map(comparisons.map((c) => [[c.a.seed, c.b.seed].sort().join(' '), c])).values()];
  const links = await Promise.all(pairs.map(({ name }) => server.seedStability.link(name)));
  const seeds = config.seeds.filter((seed) => pairs.some(({ a, b }) => a.seed === seed || b.seed === seed));
  const dictionaries = seeds.map((seed) => ({
    key: dictionaryKey({ run: runName, seed }),
    latents: config.width,
  }));
  return { pairs, links, seeds, dictionaries, perSeed: latentStability(dictionaries, links) };
}

export interface LiveLatents {
  readonly seed: Int32Array;
  readonly latent: Int32Array;
  readonly density: Float32Array;
  readonly stability: Float32Array;
  readonly maxActivation: Float32Array;
}

/** Columns of all live latents of the seeds that are compared and indexed. */
export async function liveLatents(server: ServerContext, runName: string): Promise<LiveLatents> {
  const { store } = server;
  const { seeds, perSeed } = await overSeeds(server, runName);
  const columns = {
    seed: [] as number[],
    latent: [] as number[],
    density: [] as number[],
    stability: [] as number[],
    maxActivation: [] as number[],
  };
  for (const [at, seed] of seeds.entries()) {
    if (!existsSync(store.features(runName, seed))) continue;
    const found = await queryColumns(
      plotted,
      `SELECT ${columnList(plotted)} FROM ${storedTable(featureTable)} WHERE NOT dead ORDER BY latent`,
      { path: store.features(runName, seed) },
    );
    found.latent.forEach((latent, row) => {
      columns.seed.push(seed);
      columns.latent.push(latent);
      columns.density.push(found.density[row]);
      columns.stability.push(perSeed[at].stability[latent]);
      columns.maxActivation.push(found.maxActivation[row]);
    });
  }
  return {
    seed: Int32Array.from(columns.seed),
    latent: Int32Array.from(columns.latent),
    density: Float32Array.from(columns.density),
    stability: Float32Array.from(columns.stability),
    maxActivation: Float32Array.from(columns.maxActivation),
  };
}

function trends({ stability, density, maxActivation }: LiveLatents): Stability['trends'] {
  const trend = (quantity: Float32Array) => {
    const { rankCorrelation, groups } = stabilityTrend(stability, quantity, trendGroups);
    return {
      rankCorrelation: Number.isNaN(rankCorrelation) ? null : rankCorrelation,
      groups: [...groups],
    };
  };
  return { density: trend(density), maxActivation: trend(maxActivation) };
}
