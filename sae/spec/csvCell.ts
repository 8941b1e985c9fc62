/** Cells of CSV (RFC 4180), for every table and label that leaves the product. */

/**
 * What spreadsheets take for the beginning of a formula, which may fetch addresses and run programs. Labels and tokens are other
 * people's words, so such a text gets an apostrophe before it, which spreadsheets show as text; one that has apostrophes before such
 * a sign gets one more, so that `textOfCell` gives back what was written.
 */
const formula = /^'*[=+\-@\t\r]/;

/** Empty for null and NaN; the values of a list are separated by spaces. */
export function csvCell(value: unknown): string {
  if (value === null || value === undefined || (typeof value === 'number' && Number.isNaN(value))) return '';
  const isText = typeof value === 'string' || (Array.isArray(value) && typeof value[0] === 'string');
  const plain = Array.isArray(value) ? value.join(' ') : String(value);
  const text = isText && formula.test(plain) ? `'${plain}` : plain;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The text of a cell that `csvCell` wrote, or that a spreadsheet did. */
export function textOfCell(cell: string): string {
  return cell.startsWith("'") && formula.test(cell) ? cell.slice(1) : cell;
}
