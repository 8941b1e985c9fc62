/** A table for a terminal: numbers to the right, words to the left. Without rows it is nothing, not a head alone. */
export function table(head: string[], rows: (string | number | null)[][]): string {
  if (rows.length === 0) return '';
  const cells = [head, ...rows.map((row) => row.map((cell) => (cell === null ? '–' : String(cell))))];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const numeric = head.map((_, column) =>
    rows.every((row) => typeof row[column] !== 'string' || isFigure(row[column])),
  );
  return cells
    .map((row) =>
      row
        .map((cell, column) =>
          numeric[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column]),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const isFigure = (cell: string) => /^[-–\d.]+( ?[%kM])?( ± [\d.]+)?$/.test(cell);

/** Prints a figure; null, which stands for an undefined one, is a dash. */
export const percent = (share: number | null, interval?: readonly [number, number] | null) =>
  share === null ? '–' : `${(100 * share).toFixed(1)} %${interval ? ` ± ${halfWidth(interval)}` : ''}`;
export const figure = (value: number | null, digits = 3) => (value === null ? '–' : value.toFixed(digits));

/** Half of an interval, in per cent and with two figures where it is small. */
function halfWidth([low, high]: readonly [number, number]): string {
  const half = 50 * (high - low);
  return half >= 0.95 ? half.toFixed(1) : half.toPrecision(1);
}
