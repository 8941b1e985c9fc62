/** Saves the numbers of a chart as a CSV file (RFC 4180), which any spreadsheet or notebook can read. */
import { csvCell } from '../../sae/spec/csvCell.ts';
import { saveFile } from './saveFile.ts';

export type CsvCell = string | number | null;

export function csvText(header: readonly string[], rows: readonly (readonly CsvCell[])[]): string {
  return [header, ...rows].map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

export function saveCsv(text: string, name: string): void {
  saveFile(new Blob([text], { type: 'text/csv' }), name, 'csv');
}
