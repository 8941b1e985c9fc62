/** The reproducibility of a run and of single latents, as `lazyscope reproducibility` stored it. */
import { existsSync } from 'node:fs';
import { reproducibilityKind } from '../../sae/spec/manifests/reproducibility.ts';
import { reproducibilityTable } from '../../sae/spec/tables/reproducibility.ts';
import { reproducibilityCurveTable } from '../../sae/spec/tables/reproducibilityCurve.ts';
import { worthTable } from '../../sae/spec/tables/worth.ts';
import { queryRows } from '../../sae/store/queryRows.ts';
import { columnList, storedTable } from '../../sae/store/tableSql.ts';
import type { ServerContext } from '../context.ts';
import type { FeatureInput } from '../contract/features.ts';
import type { LatentReproducibility, ReproducibilityDetail } from '../contract/reproducibility.ts';
import { runManifest } from './dictionaries.ts';

/** Null where it was not measured. */
export async function reproducibility(
  server: ServerContext,
  name: string,
): Promise<ReproducibilityDetail | null> {
  await runManifest(server, name);
  const { store } = server;
  if (!existsSync(store.reproducibility(name))) return null;
  const report = await server.manifests.read(store.reproducibility(name), reproducibilityKind);
  const curve = await queryRows(
    reproducibilityCurveTable,
    `SELECT ${columnList(reproducibilityCurveTable)} FROM ${storedTable(reproducibilityCurveTable)} ORDER BY threshold`,
    { path: store.reproducibilityCurve(name) },
  );
  const { manifests } = await server.seedStability.comparisons();
  const used = new Map(report.comparisons.map((one) => [one.name, one.createdAt]));
  const outdated = manifests.some(
    ({ name: comparison, createdAt }) => used.has(comparison) && used.get(comparison) !== createdAt,
  );
  return { report, curve, outdated };
}

/** Null where it was not measured of the run. */
export async function latentReproducibility(
  server: ServerContext,
  { run, seed, latent }: FeatureInput,
): Promise<LatentReproducibility | null> {
  await runManifest(server, run);
  const path = server.store.reproducibilityOfSeed(run, seed);
  if (!existsSync(server.store.reproducibility(run)) || !existsSync(path)) return null;
  const rows = await queryRows(
    reproducibilityTable,
    `SELECT ${columnList(reproducibilityTable)} FROM ${storedTable(reproducibilityTable)} WHERE latent = $latent`,
    { path, latent },
  );
  const [found] = rows;
  return found ? { ...found, worth: await latentWorth(server, { run, seed, latent }) } : null;
}

async function latentWorth(
  { store, manifests }: ServerContext,
  { run, seed, latent }: FeatureInput,
): Promise<LatentReproducibility['worth']> {
  const path = store.worthOfSeed(run, seed);
  // The report vouches for the table.
  const { worth } = await manifests.read(store.reproducibility(run), reproducibilityKind);
  if (!worth || !existsSync(path)) return null;
  const rows = await queryRows(
    worthTable,
    `SELECT ${columnList(worthTable)} FROM ${storedTable(worthTable)} WHERE latent = $latent`,
    { path, latent },
  );
  return rows[0] ?? null;
}
