import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RecordBatchReader } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { queryParquet } from '../store/parquet.ts';
import { exportMetrics, metricsFormats } from './exportMetrics.ts';
import { metricsColumns, type MetricsRow } from './metrics.ts';
import { logFile, MetricsLog } from './metricsLogs.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'metrics-logs-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const run = { createdAt: '2026-01-02T03:04:05.500Z', seeds: [3, 8] };
const start = Date.parse(run.createdAt) / 1000;
/** 1,000 tokens a seed between two rows, at 500 tokens a second of both seeds: four seconds. */
const rows: MetricsRow[] = [10, 20, 30].flatMap((step, i) =>
  run.seeds.map((seed) => ({
    step, tokens: 1000 * (i + 1), seed, loss: 1 / step + seed, mse: 0.5, fvu: i === 1 ? NaN : 0.25, l0: 32,
    deadFraction: 0.125, learningRate: 1e-3, sparsityCoefficient: 0, tokensPerSecond: 500,
  })),
); // prettier-ignore
const ofSeed = (seed: number) => rows.filter((row) => row.seed === seed);

test('a W&B history has a line a row, with times that follow from the tokens a second', async () => {
  const folder = join(root, 'wandb');
  await (await MetricsLog.open(folder, 'wandb', run, rows)).close();
  const lines = readFileSync(join(folder, 'seed-8/wandb-history.jsonl'), 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual(
    ofSeed(8).map(({ step, seed: _seed, ...values }, i) => ({
      _step: step,
      _runtime: 4 * (i + 1),
      _timestamp: start + 4 * (i + 1),
      ...values,
      fvu: i === 1 ? null : 0.25,
    })),
  );
});

test.each(['tensorboard', 'wandb'] as const)(
  '%s: rows appended one by one, or again from the start, give the same bytes',
  async (kind) => {
    const [once, twice] = [join(root, `${kind}-once`), join(root, `${kind}-twice`)];
    await (await MetricsLog.open(once, kind, run, rows)).close();
    // A run that was killed after it had logged more than its checkpoint knew.
    const killed = await MetricsLog.open(twice, kind, run, rows.slice(0, 4));
    await killed.close();
    const resumed = await MetricsLog.open(twice, kind, run, rows.slice(0, 2));
    await resumed.append(rows.slice(2, 4));
    await resumed.append(rows.slice(4));
    await resumed.close();
    for (const seed of run.seeds) {
      const of = (folder: string) => readFileSync(logFile(folder, kind, run, seed));
      expect(of(once).equals(of(twice))).toBe(true);
      expect(of(once).length).toBeGreaterThan(300);
    }
  },
);

describe('tables', () => {
  test('Feather is an Arrow file', async () => {
    const path = join(root, 'metrics.feather');
    await exportMetrics(path, 'feather', run, rows);
    const bytes = readFileSync(path);
    expect(bytes.toString('latin1', 0, 6)).toBe('ARROW1');
    const [batch] = [...RecordBatchReader.from(bytes)];
    for (const column of metricsColumns)
      expect(Array.from(batch.getChild(column) ?? [])).toEqual(rows.map((row) => row[column]));
  });

  test('CSV has a head and a line a row; a number that is none is empty', async () => {
    const path = join(root, 'metrics.csv');
    await exportMetrics(path, 'csv', run, rows);
    const [head, first, , third] = readFileSync(path, 'utf8').split('\r\n');
    expect(head.split(',')).toEqual(metricsColumns);
    expect(first.split(',').map(Number)).toEqual(metricsColumns.map((column) => rows[0][column]));
    expect(third.split(',')[metricsColumns.indexOf('fvu')]).toBe('');
  });

  test('Parquet', async () => {
    const path = join(root, 'metrics.parquet');
    await exportMetrics(path, 'parquet', run, rows);
    const read = await queryParquet('SELECT step, seed, loss FROM read_parquet($path)', { path });
    expect(read).toEqual(rows.map(({ step, seed, loss }) => ({ step, seed, loss })));
  });

  test('nothing is overwritten', async () => {
    for (const format of metricsFormats)
      await expect(exportMetrics(root, format, run, rows)).rejects.toMatchObject({ code: 'conflict' });
    expect(readdirSync(root).length).toBeGreaterThan(0);
  });
});

const python = process.env['LAZYSCOPE_PEERS_PYTHON'];
const why = python === undefined ? ' (skipped: LAZYSCOPE_PEERS_PYTHON names no Python with them)' : '';
test.skipIf(python === undefined)(
  `TensorBoard and pandas read them${why}`,
  async () => {
    const read = (path: string): Record<string, unknown[]> => {
      const script = join(import.meta.dirname, '../../scripts/peers/metricsFixture.py');
      const { stdout, stderr, status } = spawnSync(python ?? '', [script, 'read', path], {
        encoding: 'utf8',
      });
      expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
      return JSON.parse(stdout.replaceAll('NaN', 'null'));
    };
    const feather = join(root, 'read.feather');
    await exportMetrics(feather, 'feather', run, rows);
    expect(read(feather)['loss']).toEqual(rows.map(({ loss }) => loss));
    const folder = join(root, 'read-events');
    await exportMetrics(folder, 'tensorboard', run, rows);
    const events = read(logFile(folder, 'tensorboard', run, 3));
    expect(events['loss']).toEqual(
      ofSeed(3).map(({ step, loss }, i) => [step, start + 4 * (i + 1), Math.fround(loss)]),
    );
    expect(Object.keys(events).sort()).toEqual(
      metricsColumns.filter((c) => c !== 'step' && c !== 'seed').sort(),
    );
  },
  60_000,
);
