/** Tables in columns: what readColumns.ts gives, and rows of it. Nothing here needs a disk or a database. */
import type { RowOf, Table } from '../spec/tables/table.ts';
import type { Column, ListColumn } from './vectorColumns.ts';

interface ColumnOfType {
  INTEGER: Float64Array;
  BIGINT: Float64Array;
  DOUBLE: Float64Array;
  FLOAT: Float64Array;
  BOOLEAN: Uint8Array;
  VARCHAR: string[];
  'INTEGER[]': ListColumn;
  'FLOAT[]': ListColumn;
}

/** Columns by name. Numbers are doubles with NaN for null, truth values 0 or 1. */
export type ColumnsOf<T extends Table> = { readonly [Name in keyof T]: ColumnOfType[T[Name]['type']] };

/** Row `row` of a column of lists. */
export function listAt({ values, offsets }: ListColumn, row: number): number[] {
  return Array.from(values.subarray(offsets[row], offsets[row + 1]));
}

/** Row `row` as `queryRows` would give it. */
export function rowAt<T extends Table>(table: T, columns: ColumnsOf<T>, row: number): RowOf<T> {
  const cells = Object.entries(table).map(([name, { type }]) => {
    const column: Column = columns[name];
    if ('offsets' in column) return [name, listAt(column, row)];
    if (Array.isArray(column)) return [name, column[row]];
    if (type === 'BOOLEAN') return [name, column[row] === 1];
    return [name, Number.isNaN(column[row]) ? null : column[row]];
  });
  return Object.fromEntries(cells) as RowOf<T>;
}
