import { csvText, type CsvCell } from '../../client/saveCsv.ts';

/**
 * Rows of a table as CSV with the fields that the typed client gives, in full precision: a field within a field is named `outer.inner`,
 * tokens are their texts, and the values of a list are separated by spaces.
 */
export function rowsCsv(rows: readonly object[]): string {
  const flat = rows.map((row) => new Map(cellsOf(row, '')));
  const header = [...new Set(flat.flatMap((row) => [...row.keys()]))];
  return csvText(
    header,
    flat.map((row) => header.map((name) => row.get(name) ?? null)),
  );
}

function cellsOf(value: object, before: string): [string, CsvCell][] {
  return Object.entries(value).flatMap(([name, cell]: [string, unknown]): [string, CsvCell][] => {
    if (typeof cell === 'object' && cell !== null && !Array.isArray(cell))
      return cellsOf(cell, `${before}${name}.`);
    return [[before + name, cellOf(cell)]];
  });
}

function cellOf(value: unknown): CsvCell {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return value;
  return Array.isArray(value) ? value.map(itemOf).join(' ') : String(value);
}

/** A token as it is read; anything else that is no plain value as JSON. */
function itemOf(item: unknown): string {
  if (typeof item !== 'object' || item === null) return String(item);
  return 'text' in item && typeof item.text === 'string' ? item.text.trim() : JSON.stringify(item);
}
