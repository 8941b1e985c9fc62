/** Columns of a table as a file of the site has them, in the form in which the server's functions take them. */
import type { PlainColumn } from '../../sae/spec/site/siteContent.ts';
import type { Table } from '../../sae/spec/tables/table.ts';
import type { ColumnsOf } from '../../sae/store/columnRows.ts';

/** Whoever wrote the site wrote the columns of this very table, none of which are texts. */
export function columnsOfFile<T extends Table>(
  table: T,
  columns: Readonly<Record<string, PlainColumn>>,
): ColumnsOf<T> {
  return Object.fromEntries(
    Object.entries(table).map(([name, { type }]) => [name, columnOf(columns[name], type)]),
  ) as unknown as ColumnsOf<T>;
}

function columnOf(column: PlainColumn, type: string) {
  if ('offsets' in column)
    return { values: Int32Array.from(column.values), offsets: Int32Array.from(column.offsets) };
  if (type === 'BOOLEAN') return Uint8Array.from(column, (value) => value ?? 0);
  return Float64Array.from(column, (value) => value ?? Number.NaN);
}
