/** Writes the metrics of a run, finished or not, as tables and logs of other tools. */
import { existsSync } from 'node:fs';
import { Field, Float64, Int32, makeData, RecordBatch, Schema, Struct, Table, tableToIPC } from 'apache-arrow'; // prettier-ignore
import { LazyscopeError } from '../errors.ts';
import { logKinds } from '../spec/logKinds.ts';
import { metricsTable } from '../spec/tables/metrics.ts';
import { writeFileAtomic } from '../store/atomicWrite.ts';
import { writeParquet } from '../store/parquet.ts';
import { metricsColumns, type MetricsRow } from './metrics.ts';
import { MetricsLog, type LoggedRun } from './metricsLogs.ts';

export const metricsFormats = ['feather', 'csv', 'parquet', ...logKinds] as const;
export type MetricsFormat = (typeof metricsFormats)[number];

/**
 * A file at `path`, or for TensorBoard and W&B a folder with one for each seed. Throws `conflict` where there is something already,
 * `no_space`.
 */
export async function exportMetrics(
  path: string,
  format: MetricsFormat,
  run: LoggedRun,
  rows: readonly MetricsRow[],
): Promise<void> {
  if (existsSync(path))
    throw new LazyscopeError('conflict', `'${path}' exists: choose a path that does not.`);
  switch (format) {
    case 'feather':
      return writeFileAtomic(path, arrowFile(rows));
    case 'csv':
      return writeFileAtomic(path, csv(rows));
    case 'parquet': {
      const columns = metricsColumns.map((column) => [column, rows.map((row) => row[column])]);
      return writeParquet(path, metricsTable, Object.fromEntries(columns));
    }
    default: {
      const log = await MetricsLog.open(path, format, run, rows);
      await log.close();
    }
  }
}

/** Feather's second version is an Arrow file. */
function arrowFile(rows: readonly MetricsRow[]): Uint8Array {
  const isWhole = (column: keyof MetricsRow) => metricsTable[column].type === 'INTEGER';
  const schema = new Schema(
    metricsColumns.map((column) => new Field(column, isWhole(column) ? new Int32() : new Float64(), false)),
  );
  const children = metricsColumns.map((column) => {
    const values = rows.map((row) => row[column]);
    return isWhole(column)
      ? makeData({ type: new Int32(), data: Int32Array.from(values) })
      : makeData({ type: new Float64(), data: Float64Array.from(values) });
  });
  const data = makeData({ type: new Struct(schema.fields), length: rows.length, nullCount: 0, children });
  return tableToIPC(new Table(schema, new RecordBatch(schema, data)), 'file');
}

/** RFC 4180; a number that is none is empty. */
function csv(rows: readonly MetricsRow[]): string {
  const lines = rows.map((row) =>
    metricsColumns.map((column) => (Number.isFinite(row[column]) ? row[column] : '')).join(','),
  );
  return `${[metricsColumns.join(','), ...lines].join('\r\n')}\r\n`;
}
