/**
 * Whole columns of described tables as typed arrays, for readers that keep a table in memory and look into it often. Reading a row
 * from Parquet costs DuckDB milliseconds, because a row group is decoded for it; looking into these costs microseconds.
 */
import type { DuckDBValue } from '@duckdb/node-api';
import { LazyscopeError } from '../errors.ts';
import type { Table, TableColumn } from '../spec/tables/table.ts';
import type { ColumnsOf } from './columnRows.ts';
import { queryChunks } from './parquet.ts';
import { columnList, storedTable } from './tableSql.ts';
import { columnsOfChunks, type Column } from './vectorColumns.ts';

/**
 * The result of a SELECT whose columns are those of `table`, in its order. Throws as `queryRows` does.
 */
export async function queryColumns<T extends Table>(
  table: T,
  sql: string,
  params: Record<string, DuckDBValue> & { path: string },
): Promise<ColumnsOf<T>> {
  const { columns } = await queryChunks(sql, params, (chunks) => columnsOfChunks(chunks, table, params.path));
  // Each column was made by the type that the description gives it.
  return columns as ColumnsOf<T>;
}

/**
 * Reads the columns of `table` from a Parquet file, rows ordered by the column `latent`. Throws as `queryRows` does, and
 * 'corrupt' where latents aren't 0, 1, 2 …: row and latent are the same number.
 */
export async function readColumns<T extends Table & { latent: TableColumn }>(
  path: string,
  table: T,
): Promise<{ columns: ColumnsOf<T>; rows: number; bytes: number }> {
  const sql = `SELECT ${columnList(table)} FROM ${storedTable(table)} ORDER BY latent`;
  const columns = await queryColumns(table, sql, { path });
  const latent: Column = columns.latent;
  if (!(latent instanceof Float64Array) || latent.some((number, row) => number !== row))
    throw new LazyscopeError(
      'corrupt',
      `'${path}' doesn't have one row for each latent: make the file again.`,
    );
  return { columns, rows: latent.length, bytes: bytesOf(columns) };
}

/** What columns take in memory. */
export function bytesOf(columns: Readonly<Record<string, Column>>): number {
  return Object.values(columns).reduce((sum, column) => sum + bytesOfColumn(column), 0);
}

function bytesOfColumn(column: Column): number {
  if ('offsets' in column) return column.values.byteLength + column.offsets.byteLength;
  // JavaScript keeps two bytes a character, at most.
  if (Array.isArray(column)) return column.reduce((sum, text) => sum + 2 * text.length, 0);
  return column.byteLength;
}
