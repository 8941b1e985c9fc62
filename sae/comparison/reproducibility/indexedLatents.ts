/** What the feature index says of the live latents of all seeds of a run, in the columns of matchedControls.ts. */
import { existsSync } from 'node:fs';
import { featureTable } from '../../spec/tables/features.ts';
import type { StoreLayout } from '../../store/layout.ts';
import { queryParquet, type Row } from '../../store/parquet.ts';
import { storedTable } from '../../store/tableSql.ts';
import type { LiveLatents } from './matchedControls.ts';

export interface IndexedLatents extends LiveLatents {
  readonly seed: Int32Array;
  readonly latent: Int32Array;
}

/** `stability` is [latents] by seed. Null where a seed is not indexed. */
export async function indexedLatents(
  store: StoreLayout,
  run: string,
  stability: ReadonlyMap<number, Float64Array>,
): Promise<IndexedLatents | null> {
  const seeds = [...stability.keys()];
  if (!seeds.every((seed) => existsSync(store.features(run, seed)))) return null;
  const rows: { seed: number; row: Row }[] = [];
  for (const seed of seeds)
    for (const row of await queryParquet(
      `SELECT latent, density, "maxActivation" AS strength, "encoderDecoderCosine" AS turn, "topTokenCounts"[1] / firings AS token
       FROM ${storedTable(featureTable)} WHERE NOT dead AND "maxActivation" > 0 ORDER BY latent`,
      { path: store.features(run, seed) },
    ))
      rows.push({ seed, row });
  if (rows.length === 0) return null;
  const column = (name: 'density' | 'strength' | 'turn' | 'token') =>
    Float64Array.from(rows, ({ row }) => (row[name] === null ? NaN : Number(row[name])));
  return {
    seed: Int32Array.from(rows, ({ seed }) => seed),
    latent: Int32Array.from(rows, ({ row }) => Number(row.latent)),
    stability: Float64Array.from(rows, ({ seed, row }) => stability.get(seed)?.[Number(row.latent)] ?? NaN),
    density: column('density'),
    strength: column('strength'),
    properties: { encoderDecoderCosine: column('turn'), topTokenShare: column('token') },
  };
}
