/** Whole tables as Arrow IPC streams, for plots and notebooks: no paging, scalar columns only. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import {
  Bool,
  Float32,
  Float64,
  Int32,
  Table,
  tableFromArrays,
  tableToIPC,
  vectorFromArray,
} from 'apache-arrow';
import type { DataType } from 'apache-arrow';
import { z } from 'zod';
import { LazyscopeError } from '../../sae/errors.ts';
import { queryParquet } from '../../sae/store/parquet.ts';
import type { Row } from '../../sae/store/parquet.ts';
import { featureColumns, matchColumns } from '../../sae/store/tables.ts';
import type { TableDefinition } from '../../sae/store/tables.ts';
import type { ServerContext } from '../context.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import { comparisonManifest } from './comparisons.ts';
import { indexedDictionary, runManifest } from './dictionaries.ts';
import { liveLatents } from './stability.ts';

/** features.parquet with `stability` (null where nothing is compared), by latent. */
export async function featuresArrow(
  server: ServerContext,
  dictionary: DictionaryReference,
): Promise<Uint8Array> {
  const run = await indexedDictionary(server, dictionary);
  const rows = await scalars(featureColumns, server.store.features(dictionary.run, dictionary.seed));
  const { compared, sharedWith } = await server.sharing.stability(dictionary, run.config.width);
  const stability = rows.map(({ latent }) => (compared > 0 ? sharedWith[Number(latent)] / compared : null));
  return stream(featureColumns, rows, { stability: vectorFromArray(stability, new Float64()) });
}

export async function matchesArrow(server: ServerContext, comparison: string): Promise<Uint8Array> {
  await comparisonManifest(server, comparison);
  return stream(matchColumns, await scalars(matchColumns, server.store.comparisonMatches(comparison)));
}

/** Every live latent of a run's compared and indexed seeds: `seed`, `latent`, `density`, `stability`, `maxActivation`. */
export async function stabilityArrow(server: ServerContext, runName: string): Promise<Uint8Array> {
  return tableToIPC(tableFromArrays({ ...(await liveLatents(server, runName)) }), 'stream');
}

const mapSchema = z.object({ side: z.number(), latent: z.number(), x: z.number(), y: z.number() });

/**
 * map.parquet of a comparison with what colours it: `stability` (null where nothing is compared), `shared` in this
 * very comparison, `density` and `maxActivation` (null where the dictionary isn't indexed).
 */
export async function mapArrow(server: ServerContext, comparison: string): Promise<Uint8Array> {
  const { a, b } = await comparisonManifest(server, comparison);
  const path = server.store.comparisonMap(comparison);
  if (!existsSync(path))
    throw new LazyscopeError(
      'not_found',
      `The comparison '${comparison}' has no map: make it with 'lazyscope map ${comparison}'.`,
    );
  const points = (await queryParquet('SELECT * FROM read_parquet($path)', { path })).map((row) =>
    mapSchema.parse(row),
  );
  const shared = await server.sharing.link(comparison);
  const inB = new Set(shared.counterpart);
  const sides = await Promise.all([a, b].map((dictionary) => sideOfMap(server, dictionary)));
  const column = (of: (point: (typeof points)[number]) => number | null) =>
    vectorFromArray(points.map(of), new Float32());
  return tableToIPC(
    new Table({
      side: vectorFromArray(
        points.map(({ side }) => side),
        new Int32(),
      ),
      latent: vectorFromArray(
        points.map(({ latent }) => latent),
        new Int32(),
      ),
      x: column(({ x }) => x),
      y: column(({ y }) => y),
      shared: vectorFromArray(
        points.map(({ side, latent }) => (side === 0 ? shared.counterpart[latent] >= 0 : inB.has(latent))),
        new Bool(),
      ),
      stability: column(({ side, latent }) => sides[side].stability(latent)),
      density: column(({ side, latent }) => sides[side].density(latent)),
      maxActivation: column(({ side, latent }) => sides[side].maxActivation(latent)),
    }),
    'stream',
  );
}

async function sideOfMap(server: ServerContext, dictionary: DictionaryReference) {
  const { config } = await runManifest(server, dictionary.run);
  const { compared, sharedWith } = await server.sharing.stability(dictionary, config.width);
  const path = server.store.features(dictionary.run, dictionary.seed);
  const rows = existsSync(path)
    ? await queryParquet('SELECT density, "maxActivation" FROM read_parquet($path) ORDER BY latent', { path })
    : undefined;
  const cell = (name: string) => (latent: number) => (rows ? Number(rows[latent][name]) : null);
  return {
    stability: (latent: number) => (compared > 0 ? sharedWith[latent] / compared : null),
    density: cell('density'),
    maxActivation: cell('maxActivation'),
  };
}

/** The trainer's own file, which is such a stream already. */
export async function metricsArrow(server: ServerContext, run: string): Promise<Uint8Array> {
  await runManifest(server, run);
  try {
    return await readFile(server.store.runMetrics(run));
  } catch (cause) {
    throw new LazyscopeError('not_found', `Run '${run}' has no metrics yet.`, { cause });
  }
}

const arrowTypes: Record<string, () => DataType> = {
  INTEGER: () => new Int32(),
  // Counts stay far below 2⁵³; plots want numbers, not 64-bit integers.
  BIGINT: () => new Float64(),
  DOUBLE: () => new Float64(),
  FLOAT: () => new Float64(),
  BOOLEAN: () => new Bool(),
};

const scalarNames = (columns: TableDefinition) =>
  Object.keys(columns).filter((name) => columns[name] in arrowTypes);

async function scalars(columns: TableDefinition, path: string): Promise<Row[]> {
  const names = scalarNames(columns)
    .map((name) => `"${name}"`)
    .join(', ');
  return queryParquet(`SELECT ${names} FROM read_parquet($path) ORDER BY latent`, { path });
}

function stream(
  columns: TableDefinition,
  rows: Row[],
  more: Record<string, ReturnType<typeof vectorFromArray>> = {},
): Uint8Array {
  const vectors = scalarNames(columns).map((name) => [
    name,
    vectorFromArray(
      rows.map((row) => row[name]),
      arrowTypes[columns[name]](),
    ),
  ]);
  return tableToIPC(new Table({ ...Object.fromEntries(vectors), ...more }), 'stream');
}
