import { beforeAll, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor } from '../tensor/tf.ts';
import { meanCrossEntropy, tokenLosses } from './crossEntropy.ts';
import { blockHook } from './hookPoints.ts';
import { randomModel } from '../fixtures/randomModel.ts';

beforeAll(async () => {
  await startBackend('auto');
});

test('the loss of a token is −log of the probability it was given', () => {
  const model = randomModel();
  const ids = [4, 99, 7, 250];
  const tokens = tf.tensor2d([ids], undefined, 'int32');
  const losses = tokenLosses(model, tokens).dataSync();
  const probabilities = tf.softmax(model.forward(tokens).logits!).arraySync() as number[][][];
  ids.slice(1).forEach((id, i) => expect(losses[i]).toBeCloseTo(-Math.log(probabilities[0][i][id]), 4));
  model.dispose();
});

test('the mean does not depend on the batch size, and replacing a hook point raises or lowers it', () => {
  const model = randomModel();
  const ids = Int32Array.from({ length: 50 }, (_, i) => (i * 37) % 257);
  const before = tf.memory().numTensors;
  const clean = meanCrossEntropy(model, ids, 10);
  expect(meanCrossEntropy(model, ids, 10, { batchSize: 2 })).toBeCloseTo(clean, 5);
  const zeroed = meanCrossEntropy(model, ids, 10, {
    replace: { [blockHook(1, 'hook_resid_post')]: (x: Tensor) => x.zerosLike() },
  });
  // A stream of zeros comes out of GPT-2's final norm as its bias, 0: every token is equally likely.
  expect(zeroed).toBeCloseTo(Math.log(257), 4);
  expect(tf.memory().numTensors).toBe(before);
  model.dispose();
});

test('token counts that do not fit are refused', () => {
  const model = randomModel();
  expect(() => meanCrossEntropy(model, new Int32Array(15), 10)).toThrow(
    /15 tokens do not make whole contexts of 10/,
  );
  expect(() => meanCrossEntropy(model, new Int32Array(3), 1)).toThrow(/at least two tokens/);
  model.dispose();
});
