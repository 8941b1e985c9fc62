/** Whole tables from the server as typed columns: plots of a hundred thousand latents want no JSON. */
import { tableFromIPC, type Table } from 'apache-arrow';

/** Throws with the server's own sentence when there is no such table. */
export async function arrowTable(path: string): Promise<Table> {
  const response = await fetch(`/api/arrow/${path}`);
  if (!response.ok) {
    const said: { error?: { message?: string } } = await response.json().catch(() => ({}));
    throw new Error(said.error?.message ?? `The server answered ${response.status}.`);
  }
  return tableFromIPC(new Uint8Array(await response.arrayBuffer()));
}

/** A column of numbers, NaN where it says nothing. Throws for a column that isn't there. */
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
