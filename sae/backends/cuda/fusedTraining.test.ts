/** Whole training runs on the cuda backend, on the device in software unless LAZYSCOPE_CUDA_DEVICE names another, compared with the same runs on TF.js's plain CPU backend. */
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { tf } from '../../tensor/tf.ts';
import type { BackendName } from '../backend.ts';
import { startBackend } from '../startBackend.ts';
import { chooseCudaDeviceForTests } from './cudaDeviceForTests.ts';
import type { CudaBackend } from './cudaBackend.ts';
import { cudaFusedKernels } from './fused.ts';
import { architectureNames } from '../../spec/architectures/architectures.ts';
import { smallConfig, smallSource, steps, trainUntil } from '../../fixtures/smallRuns.ts';
import { initialState } from '../../training/initialState.ts';
import { Trainer } from '../../training/trainer.ts';
import type { FusedKernels } from '../../ops/fusedKernels.ts';
import { fusedKernels, registerFusedKernels } from '../../ops/kernelTable.ts';

chooseCudaDeviceForTests();

/** Crosscoders and, between two widths, skip transcoders. */
const ofTwoHooks = [
  ...(['relu', 'topk', 'jumprelu', 'batchtopk'] as const).map((name) => `${name} crosscoder` as const),
  ...architectureNames.map((name) => `${name} transcoder` as const),
];

async function run(backend: BackendName, ...rest: Parameters<typeof trainUntil>) {
  await startBackend(backend);
  return await trainUntil(...rest);
}

/** `tolerance` is relative. */
function expectClose(got: readonly number[], want: readonly number[], tolerance: number): void {
  expect(got.length).toBe(want.length);
  got.forEach((loss, i) => {
    if (!(Math.abs(loss / want[i] - 1) <= tolerance))
      expect.fail(`loss ${i} is ${loss}, the reference has ${want[i]}`);
  });
}

describe('training', () => {
  vi.setConfig({ testTimeout: 240_000 });
  beforeAll(() => startBackend('cuda'));
  afterEach(() => vi.restoreAllMocks());

  test.each([
    ['topk', steps],
    ['relu', 100],
    ['jumprelu', 100],
    ['batchtopk', 60],
    ['gated', 60],
    ['matryoshka', 60],
    ['matryoshkatopk', 60],
    ...ofTwoHooks.map((run) => [run, 30] as const),
  ] as const)('%s: the losses of %i steps are the reference’s to 1e-4', async (architecture, count) => {
    const want = await run('cpu', architecture, count);
    const got = await run('cuda', architecture, count);
    expectClose(got.losses, want.losses, 1e-4);
    if (architecture.endsWith('topk')) expect(want.dead).toBeGreaterThan(0);
  });

  test.each(['topk', 'jumprelu', 'batchtopk'] as const)(
    '%s: screening in bfloat16 changes the losses by rounding alone',
    async (architecture) => {
      const want = await run('cpu', architecture, 40);
      await startBackend('cuda', { path: 'sparse' });
      const usual = fusedKernels();
      const choice = { path: 'sparse' } as const;
      registerFusedKernels(cudaFusedKernels(tf.backend() as CudaBackend, { screening: 'always', choice }));
      try {
        expectClose((await trainUntil(architecture, 40)).losses, want.losses, 1e-4);
      } finally {
        registerFusedKernels(usual);
      }
    },
  );

  test('the same run twice gives the same bits', async () => {
    const [a, b] = [await run('cuda', 'topk', 30), await run('cuda', 'topk', 30)];
    expect(a).toEqual(b);
  });

  test('interrupted and resumed gives the same bits; on another backend it goes on as well', async () => {
    const half = await run('cuda', 'jumprelu', 25);
    const copy = structuredClone(half.end);
    const whole = await run('cuda', 'jumprelu', 50);
    const resumed = await run('cuda', 'jumprelu', 50, half.end);
    expect(resumed.end).toEqual(whole.end);
    expectClose((await run('cpu', 'jumprelu', 50, copy)).losses, resumed.losses, 1e-4);
  });

  test('the next batch is read and sent while the device computes; a checkpoint counts only the steps done', async () => {
    await startBackend('cuda');
    const [config, source, kernels] = [smallConfig('topk'), smallSource(), fusedKernels()];
    const state = initialState(config, source);
    source.restore({ seed: 0, epoch: 0, position: 0 });
    const events: string[] = [];
    const next = () => {
      events.push('batch');
      return source.next();
    };
    const readBack: FusedKernels['readBack'] = async (tensors) => {
      const values = await kernels.readBack?.(tensors);
      events.push('results');
      return values ?? [];
    };
    const trainer = new Trainer(config, { ...source, next }, state, { ...kernels, readBack });
    for (const step of [1, 2, 3]) {
      await trainer.advance();
      expect(trainer.position.position).toBe(step);
    }
    trainer.dispose();
    expect(events).toEqual(['batch', 'batch', 'results', 'batch', 'results', 'batch', 'results']);
  });

  test.each([...architectureNames, ...ofTwoHooks])(
    '%s: a step neither waits for the device in its middle nor computes on the host',
    async (run) => {
      // So small a dictionary fires too densely for the form of the entries to be beyond doubt.
      await startBackend('cuda', { path: 'sparse' });
      const backend = tf.backend() as CudaBackend;
      const [config, source] = [smallConfig(run), smallSource(run)];
      const trainer = new Trainer(config, source, initialState(config, source));
      for (let step = 0; step < 12; step++) await trainer.advance();
      const before = backend.hostReads;
      const wait = vi.spyOn(backend.transfers, 'download');
      const read = vi.spyOn(backend, 'readTogether');
      for (let step = 0; step < 3; step++) await trainer.advance();
      expect(wait).not.toHaveBeenCalled();
      expect(backend.hostReads).toBe(before);
      expect(read).toHaveBeenCalledTimes(3 * config.seeds.length);
      trainer.dispose();
    },
  );

  test('nothing is left on the device', async () => {
    await run('cuda', 'topk', 2);
    const before = tf.memory().numTensors;
    await run('cuda', 'topk', 12);
    await run('cuda', 'relu', 12);
    await run('cuda', 'gated', 12);
    await run('cuda', 'matryoshka', 12);
    await run('cuda', 'jumprelu', 12);
    expect(tf.memory().numTensors).toBe(before);
  });
});
