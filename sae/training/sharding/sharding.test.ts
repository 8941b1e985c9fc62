import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { startBackend } from '../../backends/startBackend.ts';
import { mpirun, SpreadRuns, toyConfig } from '../../fixtures/spreadRuns.ts';
import type { SpreadTraining } from '../../fixtures/spreadTrainings.ts';
import type { BatchSource } from '../batchSource.ts';
import { readMetrics } from '../metrics.ts';
import { checkSpreadable } from './leadTraining.ts';

const absent = spawnSync('mpirun', ['--version']).status !== 0;
const title = absent
  ? 'SKIPPED: there is no mpirun (openmpi-bin)'
  : 'a dictionary whose latents are spread over processes';

const spread = ['topk', 'batchtopk', 'jumprelu', 'relu'] as const;

test('crosscoders and transcoders are refused by name', async () => {
  await startBackend('native', { threads: 1 });
  const source = { d: 8 } as BatchSource;
  const config = toyConfig('relu');
  const joint = { ...config, hook: 'blocks.0.mlp.hook_post,blocks.1.mlp.hook_post' };
  expect(() => checkSpreadable(joint, source, 2)).toThrow('Crosscoders are not spread over processes');
  const transcoder = { ...config, outputHook: 'blocks.0.hook_mlp_out' };
  expect(() => checkSpreadable(transcoder, source, 2)).toThrow('Transcoders are not spread over processes');
  expect(() => checkSpreadable(config, source, 2)).not.toThrow();
});

describe.skipIf(absent)(title, () => {
  let runs: SpreadRuns;
  const trainIn = (count: number, trainings: readonly SpreadTraining[]) =>
    runs.trainIn(count, trainings, { backend: 'native' });

  beforeAll(async () => {
    await startBackend('native', { threads: 1 });
    runs = await SpreadRuns.open();
    for (const name of spread) await runs.trainAlone(`${name}-alone`, toyConfig(name));
  });

  test.each([
    [2, spread],
    [3, spread],
    [4, ['topk', 'relu']],
  ] as const)('is what one process trains, in %i processes: %j', async (count, spread) => {
    const trainings = spread.map((name) => ({ name: `${name}-${count}`, config: toyConfig(name) }));
    const ended = await trainIn(count, trainings);
    expect(ended.map(({ status }) => status)).toEqual(spread.map(() => 'complete'));
    for (const name of spread) {
      expect(await runs.difference(`${name}-alone`, `${name}-${count}`)).toBeLessThan(2e-4);
      const [alone, together] = await Promise.all(
        ['alone', count].map((suffix) => readMetrics(runs.store.runMetrics(`${name}-${suffix}`))),
      );
      expect(together.length).toBe(alone.length);
      for (const [at, row] of together.entries())
        for (const figure of ['loss', 'mse', 'fvu', 'l0', 'deadFraction'] as const)
          expect(row[figure], `${name}, ${figure}`).toBeCloseTo(alone[at][figure], 4);
    }
    // The dead latents of this configuration had their part in it.
    expect(
      (await readMetrics(runs.store.runMetrics(`topk-${count}`))).some((row) => row.deadFraction > 0),
    ).toBe(true);
  });

  test('is the same to the bit when it is trained again', async () => {
    await trainIn(2, spread.map((name) => ({ name: `${name}-again`, config: toyConfig(name) }))); // prettier-ignore
    for (const name of spread) expect(await runs.difference(`${name}-2`, `${name}-again`)).toBe(0);
  });

  test('goes on in another number of processes, or in one, from what two have kept', async () => {
    const config = toyConfig('topk');
    const names = ['stopped-three', 'stopped-alone'];
    const stopped = await trainIn(2, names.map((name) => ({ name, config, stopAt: 25 }))); // prettier-ignore
    expect(stopped.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    const [ended] = await trainIn(3, [{ name: names[0], config, resume: true }]);
    expect(ended.status).toBe('complete');
    await runs.trainAlone(names[1], config, true);
    for (const name of names) expect(await runs.difference('topk-2', name)).toBeLessThan(2e-4);
  });

  test('is refused where it would have to be another one', async () => {
    const ended = await trainIn(2, [
      { name: 'gated', config: toyConfig('gated') },
      { name: 'narrow', config: toyConfig('topk', { width: 1, k: 1 }) },
      { name: 'topk-2', config: toyConfig('topk') },
      { name: 'afterwards', config: toyConfig('topk', { tokens: 320 }) },
    ]);
    expect(ended.map(({ status }) => status)).toEqual(['bad_input', 'bad_input', 'conflict', 'complete']);
    expect(ended[0].message).toMatch(/Gated is not: leave --mpi out/);
    expect(ended[1].message).toMatch(/1 latents can't be spread over 2 processes/);
  });

  test('is one command for all processes, which prints one document', async () => {
    const command = [
      process.execPath,
      join(import.meta.dirname, '../../../scripts/lazyscope.mjs'),
      'train', '--mpi', '--backend=native', '--threads=1', `--data=${runs.store.root}`, '--json',
      '--architecture=topk', '--capture=toy', '--name=by-command', '--width=26', '--k=3', '--tokens=320', '--batch-size=32',
    ]; // prettier-ignore
    const printed = JSON.parse(await mpirun(2, command)) as { runs: object[] };
    expect(printed.runs).toEqual([
      expect.objectContaining({ name: 'by-command', status: 'complete', step: 10 }),
    ]);
  });

  test('leaves the last checkpoint when a process dies', async () => {
    const config = toyConfig('topk');
    const killed = { rank: 1, sums: 160 };
    await expect(trainIn(2, [{ name: 'killed', config, killed }])).rejects.toThrow();
    // mpirun ends a moment before the process that it ends with it, which holds the lock till then.
    await vi.waitFor(() => runs.trainAlone('killed', config, true), { timeout: 20_000, interval: 200 });
    expect(await runs.difference('topk-alone', 'killed')).toBeLessThan(2e-4);
  });
});
