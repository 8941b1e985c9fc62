import { beforeAll, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { tf } from '../../tensor/tf.ts';
import { Reliability } from './reliability.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

test('calibrated predictions have no error; predictions of confidence 0.9 that are right half of the time have 0.4', () => {
  const random = Random.fromSeed(1);
  const calibrated = new Reliability();
  for (let n = 0; n < 100_000; n++) {
    const confidence = random.uniform();
    calibrated.count(confidence, random.uniform() < confidence);
  }
  expect(calibrated.error()).toBeLessThan(0.01);
  const overconfident = new Reliability();
  for (let n = 0; n < 1000; n++) overconfident.count(0.9, n % 2 === 0);
  expect(overconfident.error()).toBeCloseTo(0.4, 10);
  expect(overconfident.accuracy()).toBe(0.5);
  const bin = overconfident.bins().find(({ count }) => count > 0)!;
  expect(bin).toMatchObject({ count: 1000, accuracy: 0.5 });
  expect(bin.confidence).toBeCloseTo(0.9, 10);
});

test('logits count for the token after; the last position predicts nothing', () => {
  const predicted = new Reliability(10);
  const logits = tf.tensor3d([Math.log(3), 0, 0, Math.log(9), 5, 5], [1, 3, 2]);
  // Position 0 says token 0 with ¾ and 0 comes; position 1 says token 1 with 0.9 and 0 comes.
  predicted.add(logits, tf.tensor2d([1, 0, 0], [1, 3], 'int32'));
  expect(predicted.predictions).toBe(2);
  expect(predicted.accuracy()).toBe(0.5);
  expect(predicted.error()).toBeCloseTo((0.25 + 0.9) / 2, 5);
});
