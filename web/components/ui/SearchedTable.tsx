'use client';
import { type ReactNode, useMemo } from 'react';
import { useUrlState } from '../../client/useUrlState.ts';
import { findRows } from './findRows.ts';
import { type Order, sortRows } from './sortRows.ts';
import { DataTable, type Column } from './DataTable.tsx';
import { Pager } from './Pager.tsx';
import { Panel } from './Panel.tsx';

/**
 * A panel with a table whose rows are all in the browser, with search, sorting and paging. Their state is kept
 * in the address, in parameters that begin with `name`.
 */
export function SearchedTable<Row extends object>({
  name,
  title,
  note,
  noun,
  columns,
  rows,
  rowKey,
  text,
  value,
  sorted,
  current,
}: {
  name: string;
  title: string;
  note?: ReactNode;
  /** What the rows are, in the plural. */
  noun: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  /** The text of a row that is searched. */
  text: (row: Row) => string;
  /** The value by which a column's `sort` orders rows. */
  value: (row: Row, sort: string) => string | number;
  /** The initial order. */
  sorted: { by: string; order: Order };
  current?: (row: Row) => boolean;
}) {
  const [findKey, sortKey, orderKey, firstKey] = ['find', 'sort', 'order', 'first'].map(
    (part) => `${name}-${part}`,
  ) as [string, string, string, string];
  const defaults = useMemo(
    () => ({ [findKey]: '', [sortKey]: sorted.by, [orderKey]: sorted.order, [firstKey]: '0' }),
    [findKey, sortKey, orderKey, firstKey, sorted.by, sorted.order],
  );
  const [state, change] = useUrlState<Record<string, string>>(defaults);
  const [find, by] = [state[findKey] ?? '', state[sortKey] ?? sorted.by];
  const order = state[orderKey] === 'asc' ? 'asc' : 'desc';
  const found = sortRows(findRows(rows, find, text), order, (row) => value(row, by), rowKey);
  const offset = Math.min(Number(state[firstKey]) || 0, Math.max(0, found.length - 1));
  const many = rows.length > limit;
  return (
    <Panel
      title={title}
      note={note}
      actions={
        many && (
          <input
            type="search"
            className="field"
            aria-label={`Find ${noun}`}
            placeholder="run, architecture…"
            value={find}
            onChange={(event) => change({ [findKey]: event.target.value, [firstKey]: '0' })}
          />
        )
      }
      flush
    >
      <DataTable
        caption={title}
        columns={columns}
        rows={found.slice(offset, offset + limit)}
        rowKey={rowKey}
        current={current}
        sorting={{
          by,
          order,
          change: (column, way) => change({ [sortKey]: column, [orderKey]: way, [firstKey]: '0' }),
        }}
      />
      {many && (
        <Pager
          offset={offset}
          limit={limit}
          total={found.length}
          noun={noun}
          change={(to) => change({ [firstKey]: String(to) })}
        />
      )}
    </Panel>
  );
}

const limit = 15;
