import type { ReactNode } from 'react';
import type { Table, TableColumn } from '../../../sae/spec/tables/table.ts';
import { count, figures, fixed, percent } from '../../format/number.ts';
import type { Column } from './DataTable.tsx';
import { glossary, type GlossaryKey } from './glossary.ts';
import { Term } from './Term.tsx';

/**
 * A column of a stored table as `sae/spec/tables` describes it: its header, with the glossary's sentence where there is
 * one of that name, whether it can be sorted by, and its numbers in the format given there. `more` says what only the
 * page knows: how wide the table must be for the column, or how a cell is drawn that is more than a number.
 */
export function describedColumn<Row extends object, T extends Table, Name extends keyof T & string>(
  table: T,
  name: Name,
  more: Partial<Column<Row>> & (Name extends keyof Row ? unknown : { render: (row: Row) => ReactNode }),
): Column<Row> {
  const column = table[name];
  return {
    key: name,
    header: header(name, column),
    ...(column.type.endsWith('[]') ? {} : { numeric: true }),
    ...(column.sortable ? { sort: name } : {}),
    render: (row) => printed((row as Record<string, unknown>)[name], column),
    ...more,
  };
}

function header(name: string, { label }: TableColumn): ReactNode {
  return name in glossary ? <Term of={name as GlossaryKey}>{label}</Term> : label;
}

/** A value as its description says that it is printed; a dash for null. */
export function printed(value: unknown, { format, digits }: TableColumn): string {
  if (typeof value !== 'number') return value === null || value === undefined ? '–' : String(value);
  switch (format) {
    case 'percent':
      return percent(value, digits);
    case 'fixed':
      return fixed(value, digits);
    case 'figures':
      return figures(value, digits);
    case 'count':
      return count(value);
    default:
      return String(value);
  }
}
