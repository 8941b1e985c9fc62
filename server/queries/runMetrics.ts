/** Training curves in columns. A trainer may append to the file while it is read. */
import { existsSync } from 'node:fs';
import { metricsColumns, readMetrics } from '../../sae/training/metrics.ts';
import type { MetricsRow } from '../../sae/training/metrics.ts';
import type { ServerContext } from '../context.ts';
import type { RunMetrics } from '../contract/runs.ts';
import { runManifest } from './dictionaries.ts';

const columns = metricsColumns.filter(
  (column) => column !== 'step' && column !== 'tokens' && column !== 'seed',
);

/** A run that has not logged anything yet has empty columns. */
export async function runMetrics(
  server: ServerContext,
  { name, maxPoints }: { name: string; maxPoints: number },
): Promise<RunMetrics> {
  const { config } = await runManifest(server, name);
  const path = server.store.runMetrics(name);
  const rows = existsSync(path) ? await readMetrics(path) : [];
  return {
    name,
    columns: [...columns],
    seeds: config.seeds.map((seed) => {
      const own = thin(
        rows.filter((row) => row.seed === seed),
        maxPoints,
      );
      return {
        seed,
        step: own.map((row) => row.step),
        tokens: own.map((row) => row.tokens),
        values: Object.fromEntries(columns.map((column) => [column, own.map((row) => finite(row[column]))])),
      };
    }),
  };
}

const finite = (value: number) => (Number.isFinite(value) ? value : null);

/** At most `count` of the rows, evenly spread, including the first and the last. */
function thin(rows: MetricsRow[], count: number): MetricsRow[] {
  if (rows.length <= count) return rows;
  return Array.from({ length: count }, (_, i) => rows[Math.round((i * (rows.length - 1)) / (count - 1))]);
}
