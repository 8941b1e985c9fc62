import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { startBackend } from '../../backends/startBackend.ts';
import type { SpreadTraining } from '../../fixtures/spreadTrainings.ts';
import { toyHook, writeToyCapture } from '../../fixtures/toyCapture.ts';
import { readSafetensors } from '../../formats/safetensors.ts';
import { type ArchitectureName, settingOfK } from '../../spec/architectures/architectures.ts';
import { StoreLayout } from '../../store/layout.ts';
import type { BatchSource } from '../batchSource.ts';
import { defaultTrainingConfig } from '../defaults.ts';
import { readMetrics } from '../metrics.ts';
import { train } from '../train.ts';
import { checkSpreadable } from './leadTraining.ts';

const absent = spawnSync('mpirun', ['--version']).status !== 0;
const title = absent
  ? 'SKIPPED: there is no mpirun (openmpi-bin)'
  : 'a dictionary whose latents are spread over processes';

const spread = ['topk', 'batchtopk', 'jumprelu', 'relu'] as const;
const program = join(import.meta.dirname, '../../fixtures/spreadTrainings.ts');
const mpirun = ['--allow-run-as-root', '--oversubscribe', '--bind-to', 'none'];
const quiet = { OMPI_MCA_mpi_yield_when_idle: '1', OMPI_MCA_btl_base_warn_component_unused: '0' };

interface Ended {
  name: string;
  status: string;
  step?: number;
  message?: string;
  received?: number;
}

function configured(architecture: ArchitectureName, changes: object = {}) {
  return defaultTrainingConfig(architecture, {
    capture: 'toy',
    hook: toyHook,
    d: 8,
    tokens: 1600,
    batchSize: 32,
    width: 26,
    seeds: [3, 5],
    checkpointEvery: 20,
    logEvery: 7,
    deadAfter: 300,
    ...(settingOfK(architecture) && { k: 3 }),
    ...changes,
  });
}

test('crosscoders and transcoders are refused by name', async () => {
  await startBackend('native', { threads: 1 });
  const source = { d: 8 } as BatchSource;
  const config = configured('relu');
  const joint = { ...config, hook: 'blocks.0.mlp.hook_post,blocks.1.mlp.hook_post' };
  expect(() => checkSpreadable(joint, source, 2)).toThrow('Crosscoders are not spread over processes');
  const transcoder = { ...config, outputHook: 'blocks.0.hook_mlp_out' };
  expect(() => checkSpreadable(transcoder, source, 2)).toThrow('Transcoders are not spread over processes');
  expect(() => checkSpreadable(config, source, 2)).not.toThrow();
});

describe.skipIf(absent)(title, () => {
  let store: StoreLayout;

  /** Trains runs in `count` processes; what process 0 says of each. */
  async function trainIn(count: number, trainings: readonly SpreadTraining[]): Promise<Ended[]> {
    const { stdout } = await promisify(execFile)(
      'mpirun',
      [
        ...mpirun,
        '-n',
        String(count),
        process.execPath,
        '--import',
        'tsx',
        program,
        store.root,
        JSON.stringify(trainings),
      ],
      { env: { ...process.env, ...quiet } },
    );
    return stdout.trim().split('\n').map((line) => JSON.parse(line) as Ended); // prettier-ignore
  }

  async function trainAlone(name: string, config: SpreadTraining['config'], resume = false) {
    const environment = { lazyscope: '0', node: '', platform: '', cpu: '', backend: 'native', threads: 1 };
    return train({ store, name, config, resume, environment });
  }

  /** Every tensor of a dictionary by its name. */
  async function tensorsOf(name: string, seed: number) {
    const file = await readSafetensors(store.dictionary(name, seed));
    return Object.fromEntries(file.names.map((tensor) => [tensor, file.float32(tensor)]));
  }

  /** The largest difference between two runs' dictionaries, as a share of each tensor's largest element. */
  async function difference(a: string, b: string): Promise<number> {
    let most = 0;
    for (const seed of [3, 5]) {
      const [left, right] = [await tensorsOf(a, seed), await tensorsOf(b, seed)];
      expect(Object.keys(left)).toEqual(Object.keys(right));
      for (const [name, values] of Object.entries(left)) {
        const size = Math.max(...values.map(Math.abs));
        for (const [i, value] of values.entries())
          most = Math.max(most, Math.abs(value - right[name][i]) / size);
      }
    }
    return most;
  }

  beforeAll(async () => {
    await startBackend('native', { threads: 1 });
    store = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-mpi-')));
    await writeToyCapture(store, 'toy');
    for (const name of spread) await trainAlone(`${name}-alone`, configured(name));
  });

  test.each([
    [2, spread],
    [3, spread],
    [4, ['topk', 'relu']],
  ] as const)('is what one process trains, in %i processes: %j', async (count, spread) => {
    const runs = spread.map((name) => ({ name: `${name}-${count}`, config: configured(name) }));
    const ended = await trainIn(count, runs);
    expect(ended.map(({ status }) => status)).toEqual(spread.map(() => 'complete'));
    for (const name of spread) {
      expect(await difference(`${name}-alone`, `${name}-${count}`)).toBeLessThan(2e-4);
      const [alone, together] = await Promise.all(
        ['alone', count].map((suffix) => readMetrics(store.runMetrics(`${name}-${suffix}`))),
      );
      expect(together.length).toBe(alone.length);
      for (const [at, row] of together.entries())
        for (const figure of ['loss', 'mse', 'fvu', 'l0', 'deadFraction'] as const)
          expect(row[figure], `${name}, ${figure}`).toBeCloseTo(alone[at][figure], 4);
    }
    // The dead latents of this configuration had their part in it.
    expect((await readMetrics(store.runMetrics(`topk-${count}`))).some((row) => row.deadFraction > 0)).toBe(
      true,
    );
  });

  test('is the same to the bit when it is trained again', async () => {
    await trainIn(2, spread.map((name) => ({ name: `${name}-again`, config: configured(name) }))); // prettier-ignore
    for (const name of spread) expect(await difference(`${name}-2`, `${name}-again`)).toBe(0);
  });

  test('goes on in another number of processes, or in one, from what two have kept', async () => {
    const config = configured('topk');
    const names = ['stopped-three', 'stopped-alone'];
    const stopped = await trainIn(2, names.map((name) => ({ name, config, stopAt: 25 }))); // prettier-ignore
    expect(stopped.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    const [ended] = await trainIn(3, [{ name: names[0], config, resume: true }]);
    expect(ended.status).toBe('complete');
    await trainAlone(names[1], config, true);
    for (const name of names) expect(await difference('topk-2', name)).toBeLessThan(2e-4);
  });

  test('is refused where it would have to be another one', async () => {
    const ended = await trainIn(2, [
      { name: 'gated', config: configured('gated') },
      { name: 'narrow', config: configured('topk', { width: 1, k: 1 }) },
      { name: 'topk-2', config: configured('topk') },
      { name: 'afterwards', config: configured('topk', { tokens: 320 }) },
    ]);
    expect(ended.map(({ status }) => status)).toEqual(['bad_input', 'bad_input', 'conflict', 'complete']);
    expect(ended[0].message).toMatch(/Gated is not: leave --mpi out/);
    expect(ended[1].message).toMatch(/1 latents can't be spread over 2 processes/);
  });

  test('is one command for all processes, which prints one document', async () => {
    const command = [
      process.execPath,
      join(import.meta.dirname, '../../../scripts/lazyscope.mjs'),
      'train', '--mpi', '--backend=native', '--threads=1', `--data=${store.root}`, '--json',
      '--architecture=topk', '--capture=toy', '--name=by-command', '--width=26', '--k=3', '--tokens=320', '--batch-size=32',
    ]; // prettier-ignore
    const { stdout } = await promisify(execFile)('mpirun', [...mpirun, '-n', '2', ...command], {
      env: { ...process.env, ...quiet },
    });
    const { runs } = JSON.parse(stdout) as { runs: object[] };
    expect(runs).toEqual([expect.objectContaining({ name: 'by-command', status: 'complete', step: 10 })]);
  });

  test('leaves the last checkpoint when a process dies', async () => {
    const config = configured('topk');
    const killed = { rank: 1, sums: 160 };
    await expect(trainIn(2, [{ name: 'killed', config, killed }])).rejects.toThrow();
    // mpirun ends a moment before the process that it ends with it, which holds the lock till then.
    await vi.waitFor(() => trainAlone('killed', config, true), { timeout: 20_000, interval: 200 });
    expect(await difference('topk-alone', 'killed')).toBeLessThan(2e-4);
  });
});
