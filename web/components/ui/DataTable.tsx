'use client';
import type { KeyboardEvent, ReactNode } from 'react';
import { saveCsv } from '../../client/saveCsv.ts';
import { rowsCsv } from './rowsCsv.ts';
import type { Order } from './sortRows.ts';
import styles from './DataTable.module.css';

export interface Column<Row> {
  key: string;
  header: ReactNode;
  /** Whether the column holds numbers, which are right-aligned in tabular figures. */
  numeric?: boolean;
  /** Whether the column is only as wide as its content. */
  tight?: boolean;
  /** The column is hidden if the table is narrower than this, in pixels. */
  from?: 480 | 640 | 900;
  /** The server's name of the sort order; a column without it can't be sorted. */
  sort?: string;
  render: (row: Row) => ReactNode;
}

export interface Sorting {
  by: string;
  order: Order;
  change: (by: string, order: Order) => void;
}

/**
 * The table component of the explorer. The first link of a row takes the focus: ↑ and ↓ (or j and k) move between rows, Home
 * and End to the first and last, Enter opens. Less important columns are hidden on narrow screens.
 */
export function DataTable<Row extends object>({
  caption,
  columns,
  rows,
  rowKey,
  sorting,
  current,
  dim = false,
  spread = false,
  csv = true,
}: {
  /** Caption of the table, for screen readers. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  sorting?: Sorting;
  current?: (row: Row) => boolean;
  /** Whether the rows are about to be replaced, and are shown dimmed. */
  dim?: boolean;
  /** Whether numeric columns share the width evenly; otherwise they are as narrow as possible, and text columns get the rest. */
  spread?: boolean;
  /** Whether the rows shown can be saved; false where the page itself saves all rows of the list. */
  csv?: boolean;
}) {
  return (
    <div className={styles.frame}>
      <table className={styles.table} aria-busy={dim} data-spread={spread || undefined}>
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th
                key={column.key}
                scope="col"
                className={cell(column)}
                aria-sort={
                  sorting && column.sort === sorting.by
                    ? sorting.order === 'asc'
                      ? 'ascending'
                      : 'descending'
                    : undefined
                }
              >
                {column.header}
                {sorting && column.sort !== undefined && (
                  <SortButton column={column.sort} sorting={sorting} />
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody onKeyDown={moveBetweenRows} className={dim ? styles.dim : undefined}>
          {rows.map((row) => (
            <tr key={rowKey(row)} aria-current={current?.(row) ? 'true' : undefined}>
              {columns.map((column) => (
                <td key={column.key} className={cell(column)}>
                  {column.render(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {csv && rows.length > 0 && (
        <button
          type="button"
          className={styles.save}
          aria-label={`CSV of the rows shown: ${caption}`}
          onClick={() => saveCsv(rowsCsv(rows), caption)}
        >
          CSV
        </button>
      )}
    </div>
  );
}

function SortButton({ column, sorting }: { column: string; sorting: Sorting }) {
  const active = sorting.by === column;
  const next = active && sorting.order === 'desc' ? 'asc' : 'desc';
  return (
    <button
      type="button"
      className={styles.sort}
      data-active={active || undefined}
      aria-label={`Sort by ${spoken(column)}, ${next === 'desc' ? 'largest' : 'smallest'} first`}
      onClick={() => sorting.change(column, next)}
    >
      <svg width="8" height="12" viewBox="0 0 8 12" aria-hidden="true">
        <path d="M4 1l3 4H1z" data-on={(active && sorting.order === 'asc') || undefined} />
        <path d="M4 11l3-4H1z" data-on={(active && sorting.order === 'desc') || undefined} />
      </svg>
    </button>
  );
}

function spoken(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function cell(column: { numeric?: boolean; tight?: boolean; from?: number }): string {
  return [
    column.numeric ? styles.numeric : '',
    column.tight ? styles.tight : '',
    column.from ? (styles[`from${column.from}`] ?? '') : '',
  ]
    .filter(Boolean)
    .join(' ');
}

function moveBetweenRows(event: KeyboardEvent<HTMLTableSectionElement>): void {
  const target = event.target as HTMLElement;
  if (target.closest('input, textarea, select') || event.metaKey || event.ctrlKey || event.altKey) return;
  const handles = [...event.currentTarget.rows].map((row) => row.querySelector<HTMLElement>('a, button'));
  const row = target.closest('tr');
  const index = row ? [...event.currentTarget.rows].indexOf(row) : -1;
  const to = {
    ArrowDown: index + 1,
    j: index + 1,
    ArrowUp: index - 1,
    k: index - 1,
    Home: 0,
    End: handles.length - 1,
  }[event.key];
  const handle = to === undefined ? undefined : handles[to];
  if (!handle) return;
  event.preventDefault();
  handle.focus();
}
