/** Training curves in columns. A trainer may append to the file while it is read. */
import { existsSync } from 'node:fs';
import { metricsColumns } from '../../sae/training/metrics.ts';
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
  const rows = existsSync(path) ? await server.curves.read(path, config.seeds, maxPoints) : undefined;
  return {
    name,
    columns: [...columns],
    seeds: config.seeds.map((seed) => {
      const own = rows?.get(seed) ?? [];
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
