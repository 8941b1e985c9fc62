/** Groups the rows of seeds by run, with means over seeds. */
import type { RunRow } from '../../../server/client.ts';

export interface RunGroup {
  name: string;
  first: RunRow;
  seeds: RunRow[];
  l0: number | null;
  fvu: number | null;
  ceRecovered: number | null;
  deadFraction: number | null;
}

export function groupRuns(rows: readonly RunRow[]): RunGroup[] {
  const groups = new Map<string, RunRow[]>();
  for (const row of rows) groups.set(row.name, [...(groups.get(row.name) ?? []), row]);
  const result: RunGroup[] = [];
  for (const [name, seeds] of groups) {
    const first = seeds[0];
    if (!first) continue;
    result.push({
      name,
      first,
      seeds: seeds.toSorted((a, b) => a.seed - b.seed),
      l0: meanKnown(seeds.map((row) => row.l0)),
      fvu: meanKnown(seeds.map((row) => row.fvu)),
      ceRecovered: meanKnown(seeds.map((row) => row.ceRecovered)),
      deadFraction: meanKnown(seeds.map((row) => row.deadFraction)),
    });
  }
  return result.sort((a, b) => b.first.createdAt.localeCompare(a.first.createdAt));
}

/** Mean over the known values; null when there are none. */
function meanKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}
