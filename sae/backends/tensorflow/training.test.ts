/** Whole training runs and a language model on the tensorflow backend, compared with the same on TF.js's plain CPU backend. */
import { afterAll, describe, expect, test, vi } from 'vitest';
import { smallConfig, smallSource, steps, trainUntil } from '../../fixtures/smallRuns.ts';
import { loadLanguageModel } from '../../models/loadLanguageModel.ts';
import { tf } from '../../tensor/tf.ts';
import { architectureNames } from '../../spec/architectures/architectures.ts';
import { initialState } from '../../training/initialState.ts';
import { Trainer } from '../../training/trainer.ts';
import type { BackendName } from '../backend.ts';
import { findCompiler } from '../native/compiler.ts';
import { startBackend } from '../startBackend.ts';
import type { NodeBackend } from './nodeKernels.ts';
import { tensorflowBackend } from './tensorflowBackend.ts';

const { works, detail } = await tensorflowBackend.probe();

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

describe.skipIf(!works)(works ? 'with TensorFlow' : `SKIPPED: ${detail}`, () => {
  vi.setConfig({ testTimeout: 120_000 });
  afterAll(() => startBackend('cpu'));

  test.each(architectureNames)(
    `%s: the losses of ${steps} steps are the reference’s to 1e-4`,
    async (architecture) => {
      const want = await run('cpu', architecture, steps);
      const got = await run('tensorflow', architecture, steps);
      expectClose(got.losses, want.losses, 1e-4);
      if (architecture.endsWith('topk')) expect(want.dead).toBeGreaterThan(0);
    },
  );

  test.skipIf(!findCompiler()).each(['topk', 'jumprelu'] as const)(
    '%s: begun on native, gone on with here, ended on native, it is the run of native alone',
    async (architecture) => {
      const whole = await run('native', architecture, 60);
      const first = await run('native', architecture, 20);
      const second = await run('tensorflow', architecture, 40, first.end);
      const third = await run('native', architecture, 60, second.end);
      expectClose([...first.losses, ...second.losses, ...third.losses], whole.losses, 1e-4);
    },
  );

  test('interrupted and resumed, and run twice, it gives the same bits', async () => {
    const half = await run('tensorflow', 'matryoshka', 15);
    const whole = await run('tensorflow', 'matryoshka', 30);
    const resumed = await run('tensorflow', 'matryoshka', 30, half.end);
    expect(resumed.end).toEqual(whole.end);
    expect([...half.losses, ...resumed.losses]).toEqual(whole.losses);
  });

  test('1,000 steps hold no more memory than the first ones, in TF.js and in TensorFlow', async () => {
    await startBackend('tensorflow');
    const { binding } = tf.backend() as NodeBackend;
    for (const architecture of architectureNames) {
      const many = architecture === 'topk' ? 1000 : 60;
      const config = smallConfig(architecture, many);
      const source = smallSource();
      const state = initialState(config, source);
      source.restore({ seed: 0, epoch: 0, position: 0 });
      const outside = [tf.memory().numTensors, binding.getNumOfTensors()];
      const trainer = new Trainer(config, source, state);
      const held: number[][] = [];
      for (let step = 0; step < many; step++) {
        await trainer.advance(step % 2 === 0);
        held.push([tf.memory().numTensors, binding.getNumOfTensors()]);
      }
      // Values that are still in JavaScript become TensorFlow's when they are first used.
      expect(held.at(-1), architecture).toEqual(held[10]);
      trainer.dispose();
      expect([tf.memory().numTensors, binding.getNumOfTensors()], architecture).toEqual(outside);
    }
  });

  test('kernels leave nothing but their result, in a tidy and outside of one', async () => {
    await startBackend('tensorflow');
    const { binding } = tf.backend() as NodeBackend;
    const x = tf.randomNormal([4, 6]);
    const operations = [
      () => x.sum(1), () => x.mean(), () => x.reshape([24]), () => tf.softmax(x), () => tf.topk(x, 2).values, () => tf.gather(x, [1, 0]),
      () => tf.pad(x, [[1, 1], [0, 0]]), () => tf.split(x, 2, 1)[0], () => tf.stridedSlice(x, [0, 0], [2, 2], [1, 1]), () => tf.oneHot([1, 2], 3),
      () => tf.fused.matMul({ a: x as never, b: x as never, transposeB: true, activation: 'relu' }),
      () => tf.cumsum(x, 1), () => tf.tile(x, [2, 1]), () => x.transpose(), () => tf.unstack(x)[0], () => tf.logSumExp(x),
    ]; // prettier-ignore
    for (const operation of operations) {
      const run = () => tf.tidy(() => void operation());
      run();
      const before = [tf.memory().numTensors, binding.getNumOfTensors()];
      for (let i = 0; i < 3; i++) run();
      expect([tf.memory().numTensors, binding.getNumOfTensors()], String(operation)).toEqual(before);
    }
    const sum = x.sum(1);
    const tensors = tf.memory().numTensors;
    for (let i = 0; i < 10; i++) x.sum(1).dispose();
    expect(tf.memory().numTensors).toBe(tensors);
    tf.dispose([x, sum]);
  });

  test('the bundled model gives the reference’s logits to 1e-4', async () => {
    const logitsOn = async (backend: BackendName) => {
      await startBackend(backend);
      const model = await loadLanguageModel('data/models/lazyscope-demo-relu');
      const ids = model.tokenizer.encode('Call me Ishmael. Some years ago');
      const { logits } = model.forward(tf.tensor2d([ids], [1, ids.length], 'int32'));
      if (!logits) throw new TypeError('a whole forward pass gave no logits');
      const values = Float32Array.from(await logits.data());
      logits.dispose();
      model.dispose();
      return values;
    };
    const want = await logitsOn('cpu');
    const got = await logitsOn('tensorflow');
    expect(got.length).toBe(want.length);
    got.forEach((logit, i) => {
      if (!(Math.abs(logit - want[i]) < 1e-4))
        expect.fail(`logit ${i} is ${logit}, the reference has ${want[i]}`);
    });
  });
});
