/** Training curves from metrics.arrow, which a trainer may be appending to while we read. */
import { readFile } from 'node:fs/promises';
import { RecordBatchReader } from 'apache-arrow';
import type { RecordBatch } from 'apache-arrow';
import { LazyscopeError } from '../../sae/errors.ts';
import type { ServerContext } from '../context.ts';
import type { RunMetrics } from '../contract/runs.ts';
import { runManifest } from './dictionaries.ts';

type Column = (number | null)[];

export async function runMetrics(
  server: ServerContext,
  { name, maxPoints }: { name: string; maxPoints: number },
): Promise<RunMetrics> {
  const { config } = await runManifest(server, name);
  const table = await readColumns(server.store.runMetrics(name));
  const rows = table.get('step')?.length ?? 0;
  const columns = [...table.keys()].filter((column) => !['step', 'tokens', 'seed'].includes(column));
  return {
    name,
    columns,
    seeds: config.seeds.map((seed) => {
      const seedColumn = table.get('seed');
      const own = Array.from({ length: rows }, (_, row) => row).filter((row) => seedColumn?.[row] === seed);
      const kept = thin(own, maxPoints);
      const step = kept.map((row) => table.get('step')?.[row] ?? 0);
      return {
        seed,
        step,
        tokens: kept.map((row, i) => table.get('tokens')?.[row] ?? step[i] * config.batchSize),
        values: Object.fromEntries(
          columns.map((column) => [column, kept.map((row) => table.get(column)?.[row] ?? null)]),
        ),
      };
    }),
  };
}

/** At most `count` of the rows, evenly spread, first and last among them. */
function thin(rows: number[], count: number): number[] {
  if (rows.length <= count) return rows;
  return Array.from({ length: count }, (_, i) => rows[Math.round((i * (rows.length - 1)) / (count - 1))]);
}

/** Whole record batches only: the last one may still be on its way to the disk. */
async function readColumns(path: string): Promise<Map<string, Column>> {
  const columns = new Map<string, Column>();
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch {
    return columns;
  }
  if (bytes.length === 0) return columns;
  let batches = 0;
  try {
    for (const batch of RecordBatchReader.from(bytes)) {
      appendBatch(columns, batch);
      batches++;
    }
  } catch (error) {
    if (batches === 0)
      throw new LazyscopeError('corrupt', 'The metrics of this run can not be read as an Arrow stream.', {
        cause: error,
      });
  }
  return columns;
}

function appendBatch(columns: Map<string, Column>, batch: RecordBatch): void {
  for (const { name } of batch.schema.fields) {
    const vector = batch.getChild(name);
    const column = columns.get(name) ?? [];
    columns.set(name, column);
    for (const value of vector ?? []) {
      const number = typeof value === 'bigint' ? Number(value) : value;
      column.push(typeof number === 'number' && Number.isFinite(number) ? number : null);
    }
  }
}
