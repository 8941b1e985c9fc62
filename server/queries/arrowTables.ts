/** Whole tables as Arrow IPC streams, for plots and notebooks: no paging, scalar columns only. */
import { readFile } from 'node:fs/promises';
import { Bool, Float64, Int32, Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import type { DataType } from 'apache-arrow';
import { LazyscopeError } from '../../sae/errors.ts';
import { queryParquet } from '../../sae/store/parquet.ts';
import type { Row } from '../../sae/store/parquet.ts';
import { featureColumns, matchColumns } from '../../sae/store/tables.ts';
import type { TableDefinition } from '../../sae/store/tables.ts';
import type { ServerContext } from '../context.ts';
import type { Dictionary } from '../contract/tokens.ts';
import { comparisonManifest } from './comparisons.ts';
import { indexedDictionary, runManifest } from './dictionaries.ts';

/** features.parquet with `stability` (null where nothing is compared), by latent. */
export async function featuresArrow(server: ServerContext, dictionary: Dictionary): Promise<Uint8Array> {
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
