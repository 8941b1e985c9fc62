/** How the features of a run fare over its seeds. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { dictionaryKey } from '../../sae/comparison/sharedLinks.ts';
import { latentStability, uniqueLatents } from '../../sae/comparison/stability.ts';
import { stabilityTrend } from '../../sae/comparison/stabilityTrend.ts';
import type { SharedLink } from '../../sae/comparison/stability.ts';
import { queryParquet } from '../../sae/store/parquet.ts';
import type { ServerContext } from '../context.ts';
import type { Stability } from '../contract/comparisons.ts';
import { runManifest } from './dictionaries.ts';

const mostPoints = 4_000;
const trendGroups = 10;
const pointSchema = z.object({ latent: z.number(), density: z.number(), maxActivation: z.number() });

export async function stability(server: ServerContext, { runName }: { runName: string }): Promise<Stability> {
  const { config } = await runManifest(server, runName);
  const comparisons = (await server.sharing.comparisons())
    .filter(({ a, b }) => a.run === runName && b.run === runName && a.seed !== b.seed)
    .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  // A pair compared twice counts once, by its newest comparison.
  const pairs = [...new Map(comparisons.map((c) => [[c.a.seed, c.b.seed].sort().join(' '), c])).values()];
  const links = await Promise.all(pairs.map(({ name }) => server.sharing.link(name)));
  const seeds = config.seeds.filter((seed) => pairs.some(({ a, b }) => a.seed === seed || b.seed === seed));
  const dictionaries = seeds.map((seed) => ({
    key: dictionaryKey({ run: runName, seed }),
    latents: config.width,
  }));
  const perSeed = latentStability(dictionaries, links);
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
    ...(await liveLatents(
      server,
      runName,
      seeds.map((seed, i) => ({ seed, stability: perSeed[i].stability })),
    )),
    unique: everyPairCompared(seeds.length, links) ? uniqueLatents(dictionaries, links) : [],
  };
}

function everyPairCompared(seeds: number, links: readonly SharedLink[]): boolean {
  return seeds > 1 && links.length === (seeds * (seeds - 1)) / 2;
}

/** Live latents of the indexed seeds: a sample to plot, and how stability goes with what is known of all. */
async function liveLatents(
  { store }: ServerContext,
  run: string,
  seeds: { seed: number; stability: Float64Array }[],
): Promise<Pick<Stability, 'points' | 'trends'>> {
  const points: Stability['points'] = { seed: [], latent: [], density: [], stability: [], maxActivation: [] };
  const all = { stability: [] as number[], density: [] as number[], maxActivation: [] as number[] };
  const indexed = seeds.filter(({ seed }) => existsSync(store.features(run, seed)));
  for (const { seed, stability } of indexed) {
    const rows = await queryParquet(
      'SELECT latent, density, "maxActivation" FROM read_parquet($path) WHERE NOT dead ORDER BY latent',
      { path: store.features(run, seed) },
    );
    const every = Math.max(1, Math.ceil((rows.length * indexed.length) / mostPoints));
    rows.forEach((row, i) => {
      const { latent, density, maxActivation } = pointSchema.parse(row);
      all.stability.push(stability[latent]);
      all.density.push(density);
      all.maxActivation.push(maxActivation);
      if (i % every !== 0) return;
      points.seed.push(seed);
      points.latent.push(latent);
      points.density.push(density);
      points.maxActivation.push(maxActivation);
      points.stability.push(stability[latent]);
    });
  }
  const trend = (quantity: number[]) => {
    const { rankCorrelation, groups } = stabilityTrend(all.stability, quantity, trendGroups);
    return {
      rankCorrelation: Number.isNaN(rankCorrelation) ? null : rankCorrelation,
      groups: [...groups],
    };
  };
  return { points, trends: { density: trend(all.density), maxActivation: trend(all.maxActivation) } };
}
