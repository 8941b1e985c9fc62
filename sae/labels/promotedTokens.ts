import { existsSync } from 'node:fs';
import { featureTable } from '../spec/tables/features.ts';
import { someOf } from '../spec/tables/table.ts';
import { queryRows } from '../store/queryRows.ts';
import { columnList, storedTable } from '../store/tableSql.ts';

const columns = someOf(featureTable, 'latent', 'promotedTokens');

/** The tokens that each latent promotes, from the features.parquet at `path`; none where the dictionary isn't indexed. */
export async function promotedTokens(path: string): Promise<Map<number, number[]>> {
  if (!existsSync(path)) return new Map();
  const rows = await queryRows(columns, `SELECT ${columnList(columns)} FROM ${storedTable(featureTable)}`, {
    path,
  });
  return new Map(rows.map(({ latent, promotedTokens: tokens }) => [latent, tokens]));
}
