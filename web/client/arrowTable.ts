/** Whole tables from the server as typed columns, because JSON would be slow for plots of a hundred thousand latents. */
import { tableFromIPC, type Table } from 'apache-arrow';
import { arrowBytes } from './arrowBytes.ts';

/** Fetches a table. Throws with the server's message when there is no such table. */
export async function arrowTable(path: string): Promise<Table> {
  return tableFromIPC(await arrowBytes(path));
}

/** A column of numbers with NaN for nulls. Throws for a missing column. */
export function numbers(table: Table, name: string): Float32Array {
  const column = table.getChild(name);
  if (!column) throw new Error(`The table has no column '${name}'.`);
  const out = new Float32Array(table.numRows);
  for (let i = 0; i < out.length; i++) {
    const value: unknown = column.get(i);
    out[i] = value === null || value === undefined ? NaN : Number(value);
  }
  return out;
}
