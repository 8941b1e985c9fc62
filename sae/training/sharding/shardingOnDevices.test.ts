/**
 * A dictionary whose latents are spread over the devices of several processes, which send each other what they need by NCCL. Here each process has a device
 * in software of its own, whose NCCL is ours; a GPU runs the same kernels and makes the same calls.
 */
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { missingForSoftwareDevice } from '../../backends/cuda/softwareDevice/softwareDevice.ts';
import { startBackend } from '../../backends/startBackend.ts';
import { SpreadRuns, toyConfig } from '../../fixtures/spreadRuns.ts';
import type { SpreadBackend, SpreadTraining } from '../../fixtures/spreadTrainings.ts';
import { type ArchitectureName, settingOfK } from '../../spec/architectures/architectures.ts';
import { readMetrics } from '../metrics.ts';

const missing =
  spawnSync('mpirun', ['--version']).status === 0 ? missingForSoftwareDevice() : 'no mpirun (openmpi-bin)';
const title = missing
  ? `SKIPPED: there is ${missing}`
  : 'a dictionary whose latents are spread over devices of processes';

const all = ['topk', 'batchtopk', 'jumprelu', 'relu'] as const;
const software = { LAZYSCOPE_CUDA_DEVICE: 'software', LAZYSCOPE_THREADS: '1' };
/** Gradients are longer than this now and then. */
const configured = (architecture: ArchitectureName, changes: object = {}) =>
  toyConfig(architecture, { clipNorm: 0.5, ...changes });

describe.skipIf(missing)(title, () => {
  vi.setConfig({ testTimeout: 600_000, hookTimeout: 120_000 });
  let runs: SpreadRuns;
  const trainIn = (
    count: number,
    trainings: readonly SpreadTraining[],
    backend: Partial<SpreadBackend> = {},
  ) => runs.trainIn(count, trainings, { backend: 'cuda', ...backend }, software);

  beforeAll(async () => {
    await startBackend('native', { threads: 1 });
    runs = await SpreadRuns.open();
    for (const name of all) await runs.trainAlone(`${name}-alone`, configured(name));
  });

  test.each([
    [2, all],
    [3, ['topk', 'batchtopk']],
    [4, ['topk']],
  ] as const)('is what one process trains on backend native, on %i devices: %s', async (count, names) => {
    const trainings = names.map((name) => ({ name: `${name}-${count}`, config: configured(name) }));
    const ended = await trainIn(count, trainings);
    expect(ended.map(({ status }) => status)).toEqual(names.map(() => 'complete'));
    // Orders, and the dictionary as it is handed out and gathered: of the steps nothing goes by the host.
    expect(ended[0].received).toBeLessThan(30_000);
    for (const name of names) {
      expect(await runs.difference(`${name}-alone`, `${name}-${count}`), name).toBeLessThan(2e-4);
      const [alone, together] = await Promise.all(
        ['alone', count].map((suffix) => readMetrics(runs.store.runMetrics(`${name}-${suffix}`))),
      );
      expect(together.length).toBe(alone.length);
      for (const [at, row] of together.entries())
        for (const figure of ['loss', 'mse', 'fvu', 'l0', 'deadFraction'] as const)
          expect(row[figure], `${name}, ${figure}`).toBeCloseTo(alone[at][figure], 4);
    }
    // The dead latents of this configuration had their part in it.
    const metrics = await readMetrics(runs.store.runMetrics(`topk-${count}`));
    expect(metrics.some((row) => row.deadFraction > 0)).toBe(true);
  });

  test.each([
    [0, ['topk', 'batchtopk']],
    [1, ['jumprelu', 'relu']],
  ] as const)(
    'is the same to the bit when it is trained again, and process %i launches its steps kernel by kernel: %j',
    async (rank, names) => {
      for (const [time, withoutGraphs] of [
        ['first', []],
        ['again', [rank]],
      ] as const) {
        const trainings = names.map((name) => ({ name: `${name}-${time}`, config: configured(name) }));
        // With this few latents the count is near the limit between list and matrix, where it is waited for.
        const ended = await trainIn(2, trainings, { withoutGraphs, path: 'sparse' });
        for (const { steps, name } of ended) {
          // Two seeds. Without graphs none, with them all but the first few and those of another form.
          if (time === 'again' && rank === 0) expect(steps).toMatchObject({ replayed: 0, launched: 100 });
          else expect(steps?.replayed, name).toBeGreaterThanOrEqual(70);
        }
      }
      for (const name of names) expect(await runs.difference(`${name}-first`, `${name}-again`)).toBe(0);
    },
  );

  test('goes on on another number of devices, or on none, from what two have kept', async () => {
    const config = configured('topk');
    const names = ['stopped-three', 'stopped-alone'];
    const stopped = await trainIn(2, names.map((name) => ({ name, config, stopAt: 25 }))); // prettier-ignore
    expect(stopped.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    const [ended] = await trainIn(3, [{ name: names[0], config, resume: true }]);
    expect(ended.status).toBe('complete');
    await runs.trainAlone(names[1], config, true);
    for (const name of names) expect(await runs.difference('topk-alone', name)).toBeLessThan(2e-4);
  });

  test('leaves the last checkpoint when a process dies', async () => {
    const config = configured('topk');
    // Each order is two broadcasts: this one is in the middle of the run.
    const killed = { rank: 1, broadcasts: 120 };
    await expect(trainIn(2, [{ name: 'killed', config, killed }])).rejects.toThrow();
    // mpirun ends a moment before the process that it ends with it, which holds the lock till then.
    await vi.waitFor(() => runs.trainAlone('killed', config, true), { timeout: 20_000, interval: 200 });
    expect(await runs.difference('topk-alone', 'killed')).toBeLessThan(2e-4);
  });

  test('may be so wide that candidates are found by a product in bfloat16 first', async () => {
    // Of 48 each of two devices sends 45.
    const wideFor = (name: ArchitectureName) => ({
      width: 8300,
      tokens: 160,
      ...(settingOfK(name) && { k: 48 }),
    });
    const names = ['topk', 'batchtopk'] as const;
    for (const name of names) await runs.trainAlone(`${name}-wide`, configured(name, wideFor(name)));
    await trainIn(2, names.map((name) => ({ name: `${name}-wide-2`, config: configured(name, wideFor(name)) }))); // prettier-ignore
    for (const name of names)
      expect(await runs.difference(`${name}-wide`, `${name}-wide-2`), name).toBeLessThan(2e-4);
  });

  test('may have decoders that are read in bfloat16', async () => {
    const config = configured('topk');
    const storage = { storage: 'bf16' } as const;
    await trainIn(1, [{ name: 'narrow-1', config }], storage);
    await trainIn(3, [{ name: 'narrow-3', config }], storage);
    expect(await runs.difference('narrow-1', 'narrow-3')).toBeLessThan(2e-4);
    expect(await runs.difference('narrow-1', 'topk-alone')).toBeGreaterThan(1e-3);
  });
});
