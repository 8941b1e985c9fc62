import { csvText } from '../../client/saveCsv.ts';

/** Columns of equal length as CSV, a row for each place; NaN is an empty cell. */
export function columnsCsv(columns: Readonly<Record<string, ArrayLike<number>>>): string {
  const all = Object.values(columns);
  return csvText(
    Object.keys(columns),
    Array.from({ length: all[0]?.length ?? 0 }, (_, row) => all.map((column) => column[row])),
  );
}
