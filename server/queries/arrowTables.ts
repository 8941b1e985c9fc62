/** Whole tables as Arrow IPC streams, for plots and notebooks: no paging, scalar columns only. */
import { existsSync } from 'node:fs';
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
import { LazyscopeError } from '../../sae/errors.ts';
import { mapTable } from '../../sae/spec/tables/dictionaryMap.ts';
import { featureTable } from '../../sae/spec/tables/features.ts';
import { matchTable } from '../../sae/spec/tables/matches.ts';
import { scalarsOf, someOf } from '../../sae/spec/tables/table.ts';
import type { ColumnType, RowOf, Table as StoredTable } from '../../sae/spec/tables/table.ts';
import { queryRows } from '../../sae/store/queryRows.ts';
import { columnList, storedTable } from '../../sae/store/tableSql.ts';
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
  const rows = await scalars(featureTable, server.store.features(dictionary.run, dictionary.seed));
  const { compared, sharedWith } = await server.seedStability.stability(dictionary, run.config.width);
  const stability = rows.map(({ latent }) => (compared > 0 ? sharedWith[Number(latent)] / compared : null));
  return stream(featureTable, rows, { stability: vectorFromArray(stability, new Float64()) });
}

export async function matchesArrow(server: ServerContext, comparison: string): Promise<Uint8Array> {
  await comparisonManifest(server, comparison);
  return stream(matchTable, await scalars(matchTable, server.store.comparisonMatches(comparison)));
}

/** Every live latent of a run's compared and indexed seeds: `seed`, `latent`, `density`, `stability`, `maxActivation`. */
export async function stabilityArrow(server: ServerContext, runName: string): Promise<Uint8Array> {
  return tableToIPC(tableFromArrays({ ...(await liveLatents(server, runName)) }), 'stream');
}

/**
 * map.parquet of a comparison with the columns that its points are coloured by: `stability` (null where nothing is compared), `shared` in this
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
  const points = await queryRows(mapTable, `SELECT ${columnList(mapTable)} FROM ${storedTable(mapTable)}`, {
    path,
  });
  const shared = await server.seedStability.link(comparison);
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

const colouring = someOf(featureTable, 'density', 'maxActivation');

async function sideOfMap(server: ServerContext, dictionary: DictionaryReference) {
  const { config } = await runManifest(server, dictionary.run);
  const { compared, sharedWith } = await server.seedStability.stability(dictionary, config.width);
  const path = server.store.features(dictionary.run, dictionary.seed);
  const rows = existsSync(path)
    ? await queryRows(
        colouring,
        `SELECT ${columnList(colouring)} FROM ${storedTable(featureTable)} ORDER BY latent`,
        { path },
      )
    : undefined;
  const cell = (name: keyof typeof colouring) => (latent: number) => rows?.[latent][name] ?? null;
  return {
    stability: (latent: number) => (compared > 0 ? sharedWith[latent] / compared : null),
    density: cell('density'),
    maxActivation: cell('maxActivation'),
  };
}

/** The trainer's metrics file, which is an Arrow stream already. Throws 'not_found' before the first are written. */
export async function metricsFile(
  server: ServerContext,
  run: string,
): Promise<{ path: string; name: string }> {
  await runManifest(server, run);
  const path = server.store.runMetrics(run);
  if (!existsSync(path)) throw new LazyscopeError('not_found', `Run '${run}' has no metrics yet.`);
  return { path, name: run };
}

/** 64-bit integers become doubles: counts are far below 2⁵³, and plots need plain numbers. */
function arrowType(type: ColumnType): DataType {
  if (type === 'INTEGER') return new Int32();
  return type === 'BOOLEAN' ? new Bool() : new Float64();
}

async function scalars(table: StoredTable, path: string): Promise<RowOf<StoredTable>[]> {
  const scalar = scalarsOf(table);
  return queryRows(scalar, `SELECT ${columnList(scalar)} FROM ${storedTable(table)} ORDER BY latent`, {
    path,
  });
}

function stream(
  table: StoredTable,
  rows: readonly RowOf<StoredTable>[],
  more: Record<string, ReturnType<typeof vectorFromArray>> = {},
): Uint8Array {
  const vectors = Object.entries(scalarsOf(table)).map(([name, { type }]) => [
    name,
    vectorFromArray(
      // In floating-point columns undefined values are NaN, as in the file.
      rows.map((row) => row[name] ?? (type === 'DOUBLE' || type === 'FLOAT' ? Number.NaN : null)),
      arrowType(type),
    ),
  ]);
  return tableToIPC(new Table({ ...Object.fromEntries(vectors), ...more }), 'stream');
}
