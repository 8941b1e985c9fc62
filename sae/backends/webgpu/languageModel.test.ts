/** A language model's forward pass on the webgpu backend, compared with TF.js's plain CPU backend. */
import { expect, test } from 'vitest';
import { loadLanguageModel } from '../../models/loadLanguageModel.ts';
import { tf } from '../../tensor/tf.ts';
import type { BackendName } from '../backend.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';

const adapter = await adapterForTests();

async function logitsOn(backend: BackendName): Promise<Float32Array> {
  await startBackend(backend);
  const model = await loadLanguageModel('data/models/lazyscope-demo-relu');
  const ids = model.tokenizer.encode('Call me Ishmael. Some years ago');
  const { logits } = model.forward(tf.tensor2d([ids], [1, ids.length], 'int32'));
  if (!logits) throw new TypeError('a whole forward pass gave no logits');
  const values = await logits.data();
  model.dispose();
  return Float32Array.from(values);
}

test.skipIf(!adapter.found)(`the bundled model says the same on ${adapter.description}`, async () => {
  const want = await logitsOn('cpu');
  const got = await logitsOn('webgpu');
  expect(got.length).toBe(want.length);
  got.forEach((logit, i) => {
    if (!(Math.abs(logit - want[i]) < 1e-3))
      expect.fail(`logit ${i} is ${logit}, the reference has ${want[i]}`);
  });
});
