/** Whole training runs on a GPU's adapter beside the same runs on TF.js's plain backend. */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { Architecture } from '../../store/manifests.ts';
import { Random } from '../../tensor/random.ts';
import { tf } from '../../tensor/tf.ts';
import type { BatchSource } from '../../training/batchSource.ts';
import { defaultTrainingConfig } from '../../training/defaults.ts';
import { initialState, Trainer, type TrainerState } from '../../training/trainer.ts';
import type { BackendName } from '../backend.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';

const adapter = await adapterForTests();
const [d, width, batchSize, steps] = [16, 48, 16, 200];

/** Rows made of few of 40 directions, the same for everyone who asks. */
function source(): BatchSource {
  const directions = Random.fromSeed(3).normals(40 * d, 1 / Math.sqrt(d));
  let position = 0;
  return {
    d,
    batchSize,
    next() {
      const random = Random.fromSeed(7, position++);
      const batch = new Float32Array(batchSize * d);
      for (let row = 0; row < batchSize; row++)
        for (let n = 0; n < 3; n++) {
          const at = random.below(40) * d;
          const strength = 0.5 + random.uniform();
          for (let j = 0; j < d; j++) batch[row * d + j] += strength * directions[at + j];
        }
      return batch;
    },
    state: () => ({ seed: 0, epoch: 0, position }),
    restore: (state) => {
      ({ position } = state);
    },
  };
}

const settings: Record<Architecture, object> = {
  // Latents that rest for ten batches count as dead, so that AuxK has work.
  topk: { k: 4, deadAfter: 10 * batchSize },
  relu: { sparsityCoefficient: 0.3 },
  jumprelu: { targetL0: 4 },
};
const configOf = (architecture: Architecture) =>
  defaultTrainingConfig(architecture, {
    capture: 'synthetic',
    hook: 'none',
    d,
    width,
    seeds: [1],
    batchSize,
    tokens: batchSize * steps,
    ...settings[architecture],
  });

async function run(backend: BackendName, architecture: Architecture, until: number, from?: TrainerState) {
  await startBackend(backend);
  const config = configOf(architecture);
  const data = source();
  const state = from ?? initialState(config, data);
  data.restore({ seed: 0, epoch: 0, position: state.step });
  const trainer = new Trainer(config, data, state);
  const losses: number[] = [];
  let dead = 0;
  while (trainer.step < until)
    for (const metrics of await trainer.advance()) {
      losses.push(metrics.loss);
      dead = Math.max(dead, metrics.deadFraction);
    }
  const end = trainer.state();
  trainer.dispose();
  return { losses, end, dead };
}

/** Relative. */
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

  test.each(['topk', 'relu', 'jumprelu'] as const)(
    '%s: the losses of 200 steps are the reference’s to 1e-4',
    async (architecture) => {
      const want = await run('cpu', architecture, steps);
      const got = await run('webgpu', architecture, steps);
      expectClose(got.losses, want.losses, 1e-4);
      if (architecture === 'topk') expect(want.dead).toBeGreaterThan(0);
    },
  );

  test('the same run twice gives the same bits', async () => {
    const [a, b] = [await run('webgpu', 'topk', 30), await run('webgpu', 'topk', 30)];
    expect(a).toEqual(b);
  });

  test('interrupted and resumed gives the same bits; on another backend it goes on as well', async () => {
    const half = await run('webgpu', 'jumprelu', 25);
    const copy = structuredClone(half.end);
    const whole = await run('webgpu', 'jumprelu', 50);
    const resumed = await run('webgpu', 'jumprelu', 50, half.end);
    expect(resumed.end).toEqual(whole.end);
    expectClose((await run('cpu', 'jumprelu', 50, copy)).losses, resumed.losses, 1e-4);
  });

  test('nothing is left on the device', async () => {
    await run('webgpu', 'topk', 2);
    const before = tf.memory().numTensors;
    await run('webgpu', 'topk', 12);
    await run('webgpu', 'relu', 12);
    await run('webgpu', 'jumprelu', 12);
    expect(tf.memory().numTensors).toBe(before);
  });
});
