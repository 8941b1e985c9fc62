/** Rows of described tables, with their types. */
import type { DuckDBValue } from '@duckdb/node-api';
import { LazyscopeError } from '../errors.ts';
import type { RowOf, Table, TableColumn } from '../spec/tables/table.ts';
import { queryParquet, type Cell } from './parquet.ts';

/**
 * Runs one SELECT whose result has the columns of `table`, and perhaps more, which are left out. Throws as
 * `queryParquet` does, and 'corrupt' for a value that the description doesn't allow: a null where there must be a value,
 * which is also what a file without the column gives, or a number that isn't finite.
 */
export async function queryRows<T extends Table>(
  table: T,
  sql: string,
  params: Record<string, DuckDBValue> & { path: string },
): Promise<RowOf<T>[]> {
  const columns = Object.entries(table);
  return (await queryParquet(sql, params)).map((cells) => {
    const row = columns.map(([name, column]) => {
      const value = read(cells[name] ?? null, column);
      if (value === undefined)
        throw new LazyscopeError(
          'corrupt',
          `'${params.path}' has no usable value of '${name}' in some row (${column.doc}): make the file again.`,
        );
      return [name, value];
    });
    return Object.fromEntries(row) as RowOf<T>;
  });
}

/** Undefined for what may not be there. */
function read(cell: Cell, { type, nullable }: TableColumn): Cell | undefined {
  if (cell === null) return nullable ? null : undefined;
  switch (type) {
    case 'BOOLEAN':
      return typeof cell === 'boolean' ? cell : undefined;
    case 'VARCHAR':
      return typeof cell === 'string' ? cell : undefined;
    case 'INTEGER[]':
    case 'FLOAT[]':
      return Array.isArray(cell) && cell.every(Number.isFinite) ? cell : undefined;
    default:
      if (typeof cell !== 'number') return undefined;
      return Number.isFinite(cell) ? cell : nullable ? null : undefined;
  }
}
