/**
 * Every fused kernel composed of TensorFlow's operations against the reference kernel on TF.js's plain backend. Where inputs are small integers, choices
 * and values must be equal to the bit. Every choice is made on all rows at once and on blocks of few.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Case, expectSame, outputs, shapes } from '../../fixtures/expectSame.ts';
import { describeFusedKernels } from '../../fixtures/fusedCases.ts';
import { gradientRequest, Inputs, listed } from '../../fixtures/fusedInputs.ts';
import { disposeEntries, firingEntries } from '../../ops/sparseEntries.ts';
import type { FusedKernels } from '../../ops/fusedKernels.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { tensorflowFusedKernels } from './fused.ts';
import type { NodeBackend } from './nodeKernels.ts';
import { Operations } from './operations.ts';
import { tensorflowBackend } from './tensorflowBackend.ts';

const { works, detail } = await tensorflowBackend.probe();

/** The same kernels on blocks of few rows, and never with a matrix. */
let inBlocks: FusedKernels | undefined;

describe.skipIf(!works)(works ? 'with TensorFlow' : `SKIPPED: ${detail}`, () => {
  vi.setConfig({ testTimeout: 60_000 });
  beforeAll(async () => {
    await startBackend('tensorflow');
    const operations = new Operations(tf.backend() as NodeBackend);
    inBlocks = tensorflowFusedKernels(operations, { blockBytes: 4096, denseAbove: 1 });
  });
  afterAll(() => startBackend('cpu'));

  const device = { backend: 'tensorflow', others: () => (inBlocks ? [inBlocks] : []) } as const;
  describeFusedKernels(device);

  test.each(shapes)(
    'batchTopKEncode: %i rows, d = %i, %i latents: the same wherever the search begins',
    async (rows, d, latents, k) => {
      for (const near of [0.5, 1e6])
        await expectSame(
          device,
          (kernels, inputs) => {
            const x = inputs.integers<Tensor2D>([rows, d]);
            const encoder = inputs.encoder(latents, d, 'integers');
            const { entries, least } = kernels.batchTopKEncode(x, encoder, { count: rows * k, near });
            return { ...listed(firingEntries(entries, null)), least };
          },
          0,
        );
    },
  );

  test.each(shapes)(
    'firings and reconstruct from top k: %i rows, d = %i, %i latents',
    (rows, d, latents, k) =>
      expectSame(
        device,
        (kernels, inputs) => {
          const encoder = inputs.encoder(latents, d, 'integers');
          const z = kernels.topKEncode(inputs.integers([rows, d]), encoder, k);
          const decoder = {
            wDec: inputs.normals<Tensor2D>([latents, d]),
            bias: inputs.normals<Tensor1D>([d]),
          };
          const target = inputs.normals<Tensor2D>([rows, d]);
          return { ...kernels.firings(z, null), ...kernels.reconstruct(z, null, decoder, target) };
        },
        2e-5,
      ),
  );

  test('an update leaves tensors that share memory with a parameter as they are', async () => {
    await startBackend('tensorflow');
    const { made, parameters } = gradientRequest(new Inputs(), [40, 70, 45], { form: 'list' });
    const moments = { first: parameters(0), second: parameters(0) };
    const before = made.parameters.wEnc.clone();
    const values = before.dataSync().slice();
    const settings = {
      learningRate: 0.1,
      beta1: 0.9,
      beta2: 0.99,
      epsilon: 1e-6,
      clipNorm: null,
      unitNormDecoder: false,
    };
    for (const step of [1, 2]) fusedKernels().update(made, moments, { ...settings, step });
    expect(before.dataSync()).toEqual(values);
    expect(made.parameters.wEnc.dataSync()).not.toEqual(values);
  });

  test('the same twice gives the same bits', async () => {
    const run: Case = (kernels, inputs) => {
      const { made } = gradientRequest(inputs, [300, 100, 1300], { form: 'list', auxiliary: true });
      const x = inputs.normals<Tensor2D>([300, 100]);
      const list = kernels.topKEncode(x, inputs.encoder(1300, 100, 'normals'), 20);
      return { ...kernels.gradients(made), ...kernels.firings(made.main.entries, null), values: list.values };
    };
    expect(await outputs('tensorflow', run)).toEqual(await outputs('tensorflow', run));
  });

  test('choosing from 24,576 latents holds at most two matrices [batch, latents], and far less of many rows', async () => {
    await startBackend('tensorflow');
    const backend = tf.backend() as NodeBackend;
    for (const [rows, most] of [
      [256, 2],
      [4096, 1],
    ]) {
      const [d, latents] = [16, 24_576];
      const x = tf.randomNormal([rows, d]) as Tensor2D;
      const encoder = {
        wEnc: tf.randomNormal([latents, d]) as Tensor2D,
        bEnc: tf.zeros([latents]) as Tensor1D,
        centre: null,
      };
      const before = tf.memory().numBytes;
      let peak = 0;
      const made = vi.spyOn(backend, 'createOutputTensor');
      made.mockImplementation(function (this: NodeBackend, ...given) {
        const tensor = Object.getPrototypeOf(backend).createOutputTensor.apply(backend, given) as Tensor;
        peak = Math.max(peak, tf.memory().numBytes - before);
        return tensor;
      });
      const entries = fusedKernels().topKEncode(x, encoder, 32);
      made.mockRestore();
      disposeEntries(entries);
      expect(peak).toBeGreaterThan(1e6);
      expect(peak / (4 * rows * latents)).toBeLessThan(most);
      tf.dispose([x, encoder.wEnc, encoder.bEnc]);
    }
  });
});
