/** SQL for the tables that sae/spec/tables describes. Names come from the descriptions and are quoted, never from a request. */
import type { SortOf, Table, TableColumn } from '../spec/tables/table.ts';

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** `"latent", "density"`, or `f."latent", f."density"`. */
export function columnList(table: Table, of?: string): string {
  const prefix = of === undefined ? '' : `${of}.`;
  return Object.keys(table)
    .map((name) => prefix + quoted(name))
    .join(', ');
}

/**
 * What follows FROM for the file whose path is bound as `parameter`: exactly the described columns. A column that the
 * file lacks, because it is older, is null; one that it has beyond them is ignored. NaN is null where the description
 * says that the column may be, so that it is sorted last and inside no bound (to DuckDB, NaN is above every number).
 */
export function storedTable(table: Table, parameter = 'path'): string {
  const columns = Object.entries(table);
  const nothing = columns.map(([name, { type }]) => `NULL::${type} AS ${quoted(name)}`).join(', ');
  const cells = columns.map(([name, column]) => withoutNaN(quoted(name), column)).join(', ');
  return `(SELECT ${cells} FROM (SELECT ${nothing} WHERE false UNION ALL BY NAME SELECT * FROM read_parquet($${parameter})))`;
}

function withoutNaN(name: string, { type, nullable }: TableColumn): string {
  return nullable && (type === 'DOUBLE' || type === 'FLOAT') ? `nullif(${name}, 'NaN') AS ${name}` : name;
}

/** What follows ORDER BY: rows without a value last in either order, and ties by `tie`, so that pages never overlap. */
export function orderOf<T extends Table>(
  _table: T,
  by: SortOf<T>,
  order: 'asc' | 'desc',
  tie: SortOf<T>,
): string {
  return `${quoted(by)} ${order === 'asc' ? 'ASC' : 'DESC'} NULLS LAST, ${quoted(tie)}`;
}
