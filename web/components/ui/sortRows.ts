export type Order = 'asc' | 'desc';
type Cell = string | number | boolean | null;

/** Sorts rows by one value, ties by `name`. Rows without a value come last in either direction. */
export function sortRows<Row>(
  rows: readonly Row[],
  order: Order,
  value: (row: Row) => Cell,
  name: (row: Row) => string,
): Row[] {
  const sign = order === 'asc' ? 1 : -1;
  return rows.toSorted((a, b) => {
    const [left, right] = [value(a), value(b)];
    const by = left === null ? (right === null ? 0 : 1) : right === null ? -1 : sign * compare(left, right);
    return by || compare(name(a), name(b));
  });
}

function compare(a: Exclude<Cell, null>, b: Exclude<Cell, null>): number {
  return typeof a === 'number' && typeof b === 'number'
    ? a - b
    : String(a).localeCompare(String(b), 'en', { numeric: true });
}
