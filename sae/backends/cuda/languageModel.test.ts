/** Language models on the cuda backend, compared with TF.js's plain CPU backend and with native; none of it computes on the host. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { toyTraining, type ToyTraining } from '../../fixtures/toyTraining.ts';
import type { LanguageModelTraining } from '../../pretraining/languageModelTraining.ts';
import { loadLanguageModel } from '../../models/loadLanguageModel.ts';
import { tf } from '../../tensor/tf.ts';
import type { BackendName } from '../backend.ts';
import { startBackend } from '../startBackend.ts';
import { chooseCudaDeviceForTests } from './cudaDeviceForTests.ts';
import { cudaBackend } from './cuda.ts';
import { hostKernels } from './kernels/hostKernels.ts';

chooseCudaDeviceForTests();
const probe = await cudaBackend.probe();

async function logitsOn(backend: BackendName, folder: string): Promise<Float32Array> {
  await startBackend(backend);
  const model = await loadLanguageModel(folder);
  const ids = model.tokenizer.encode('Call me Ishmael. Some years ago');
  hostKernels.take();
  const { logits } = model.forward(tf.tensor2d([ids], [1, ids.length], 'int32'));
  if (!logits) throw new TypeError('a whole forward pass gave no logits');
  const values = await logits.data();
  model.dispose();
  return Float32Array.from(values);
}

describe.skipIf(!probe.works)(`language models on ${probe.detail}`, () => {
  vi.setConfig({ testTimeout: 120_000 });

  test.each(['lazyscope-demo-relu', 'lazyscope-demo-gelu'])(
    '%s says the same, and nothing of it on the host',
    async (name) => {
      const want = await logitsOn('cpu', `data/models/${name}`);
      const got = await logitsOn('cuda', `data/models/${name}`);
      expect(hostKernels.take()).toEqual({});
      expect(got.length).toBe(want.length);
      got.forEach((logit, i) => {
        if (!(Math.abs(logit - want[i]) < 1e-4 * (1 + Math.abs(want[i]))))
          expect.fail(`logit ${i} is ${logit}, the reference has ${want[i]}`);
      });
    },
  );

  describe('training', () => {
    let toy: ToyTraining;
    beforeAll(async () => (toy = await toyTraining()));
    afterAll(() => toy.remove());

    async function lossesOn(backend: BackendName, config: Partial<LanguageModelTraining>): Promise<number[]> {
      await startBackend(backend);
      const before = tf.memory().numTensors;
      hostKernels.take();
      await toy.train(backend, { ...config, steps: 12, logEvery: 1 });
      expect(tf.memory().numTensors, 'every tensor is disposed').toBe(before);
      const folder = join(toy.root, backend);
      const { curve } = JSON.parse(readFileSync(join(folder, 'training.json'), 'utf8')) as {
        curve: { loss: number }[];
      };
      rmSync(folder, { recursive: true });
      return curve.map(({ loss }) => loss);
    }

    test.each([
      { family: 'gpt2', activation: 'gelu' },
      { family: 'llama', activation: 'silu', keyValueHeads: 1 },
    ] as const)(
      '$family with $activation learns as on the reference, and on the device only',
      async (config) => {
        const want = await lossesOn('cpu', config);
        const got = await lossesOn('cuda', config);
        expect(hostKernels.take()).toEqual({});
        expect(got.length).toBe(want.length);
        got.forEach((loss, i) => expect(loss).toBeCloseTo(want[i], 4));
        expect(await lossesOn('cuda', config), 'the same bits again').toEqual(got);
      },
    );
  });
});
