/** Whole training runs on the webgpu backend, compared with the same runs on TF.js's plain CPU backend. */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { tf } from '../../tensor/tf.ts';
import type { BackendName } from '../backend.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';
import { architectureNames } from '../../spec/architectures/architectures.ts';
import { smallConfig, smallSource, steps, trainUntil } from '../../fixtures/smallRuns.ts';
import { initialState } from '../../training/initialState.ts';
import { Trainer } from '../../training/trainer.ts';
import type { FusedKernels } from '../../ops/fusedKernels.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';

const adapter = await adapterForTests();
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

describe.skipIf(!adapter.found)(`training on ${adapter.description}`, () => {
  vi.setConfig({ testTimeout: 240_000 });
  beforeAll(() => startBackend('webgpu'));

  test.each([
    ['topk', steps],
    ['relu', steps],
    ['jumprelu', steps],
    ['batchtopk', 60],
    ['gated', 100],
    ['matryoshka', 30],
    ['matryoshkatopk', 60],
    ...(['relu', 'topk', 'jumprelu', 'batchtopk'] as const).map(
      (name) => [`${name} crosscoder`, 20] as const,
    ),
    ...architectureNames.map((name) => [`${name} transcoder`, 10] as const),
  ] as const)('%s: the losses of %i steps are the reference’s to 1e-4', async (architecture, count) => {
    const want = await run('cpu', architecture, count);
    const got = await run('webgpu', architecture, count);
    expectClose(got.losses, want.losses, 1e-4);
    if (architecture.endsWith('topk')) expect(want.dead).toBeGreaterThan(0);
  });

  test.each(['topk', 'gated', 'matryoshkatopk'] as const)(
    '%s: the same run twice gives the same bits',
    async (architecture) => {
      const [a, b] = [await run('webgpu', architecture, 30), await run('webgpu', architecture, 30)];
      expect(a).toEqual(b);
    },
  );

  test('interrupted and resumed gives the same bits; on another backend it goes on as well', async () => {
    const half = await run('webgpu', 'jumprelu', 25);
    const copy = structuredClone(half.end);
    const whole = await run('webgpu', 'jumprelu', 50);
    const resumed = await run('webgpu', 'jumprelu', 50, half.end);
    expect(resumed.end).toEqual(whole.end);
    expectClose((await run('cpu', 'jumprelu', 50, copy)).losses, resumed.losses, 1e-4);
  });

  test('the next batch is read and sent while the device computes; a checkpoint counts only the steps done', async () => {
    await startBackend('webgpu');
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

  test('nothing is left on the device', async () => {
    await run('webgpu', 'topk', 2);
    const before = tf.memory().numTensors;
    for (const architecture of ['topk', 'relu', 'jumprelu', 'gated', 'matryoshkatopk'] as const)
      await run('webgpu', architecture, 12);
    expect(tf.memory().numTensors).toBe(before);
  });
});
