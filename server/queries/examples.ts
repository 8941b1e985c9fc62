/** examples.parquet: stretches of text around a feature's activations. */
import { existsSync } from 'node:fs';
import { exampleTable } from '../../sae/spec/tables/examples.ts';
import type { stretchColumns } from '../../sae/spec/tables/stretch.ts';
import type { RowOf } from '../../sae/spec/tables/table.ts';
import { queryRows } from '../../sae/store/queryRows.ts';
import { columnList, storedTable } from '../../sae/store/tableSql.ts';
import type { ServerContext } from '../context.ts';
import type { Example, FeatureDetail } from '../contract/features.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import { integersFrom, listBounds, listParameter } from './listParameter.ts';
import type { TokenReader } from './tokenTexts.ts';

const stored = `SELECT ${columnList(exampleTable)} FROM ${storedTable(exampleTable)}`;

/** All examples of a feature by band: `top` first, then quantile-4 to quantile-0, each ordered by rank. */
export async function examplesByBand(
  { store }: ServerContext,
  { run, seed }: DictionaryReference,
  latent: number,
  tokens: TokenReader,
): Promise<FeatureDetail['examples']> {
  const path = store.examples(run, seed);
  if (!existsSync(path)) return [];
  const rows = await queryRows(
    exampleTable,
    `${stored} WHERE latent = $latent ORDER BY band <> 'top', band DESC, rank`,
    { path, latent },
  );
  const bands = new Map<string, Example[]>();
  for (const row of rows) {
    const band = bands.get(row.band) ?? [];
    bands.set(row.band, [...band, exampleOf(row, tokens)]);
  }
  return [...bands].map(([band, examples]) => ({ band, examples }));
}

/** The strongest example of each of the given latents. */
export async function topExamples(
  { store }: ServerContext,
  { run, seed }: DictionaryReference,
  latents: readonly number[],
  tokens: TokenReader,
): Promise<Map<number, Example>> {
  const path = store.examples(run, seed);
  if (!existsSync(path)) return new Map();
  const rows = await queryRows(
    exampleTable,
    `${stored} WHERE latent BETWEEN $least AND $most AND band = 'top' AND rank = 0 AND list_contains(${integersFrom('latents')}, latent)`,
    { path, latents: listParameter(latents), ...listBounds(latents) },
  );
  return new Map(rows.map((row) => [row.latent, exampleOf(row, tokens)]));
}

export function exampleOf(
  row: RowOf<typeof stretchColumns> & { rank: number },
  tokens: TokenReader,
): Example {
  const { rank, activation, context, position, start, activations } = row;
  return { rank, activation, context, position, start, tokens: tokens.texts(row.tokens), activations };
}
