import { expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { normalQuantile } from '../../numerics/normalQuantile.ts';
import { normalThreshold } from '../../numerics/normalThreshold.ts';
import { referenceMaskedActivations } from '../../ops/maskedActivations.ts';
import { tf } from '../../tensor/tf.ts';
import { statisticalTopK } from './statisticalTopK.ts';

function apply(x: Float32Array, n: number, k: number): { values: Float32Array; kept: number } {
  const given = tf.tensor2d(x, [x.length / n, n]);
  const { masked, zeros } = referenceMaskedActivations(given, statisticalTopK(n, k));
  const values = masked.dataSync<'float32'>().slice();
  tf.dispose([given, masked]);
  return { values, kept: x.length - zeros };
}

test('quantiles of the normal distribution are those of the tables', () => {
  expect(normalQuantile(0.5)).toBe(0);
  expect(normalQuantile(0.975)).toBeCloseTo(1.959963985, 7);
  expect(normalQuantile(0.92)).toBeCloseTo(1.40507156, 7);
  expect(normalQuantile(0.001)).toBeCloseTo(-3.090232306, 7);
  expect([0, 1, -0.1].map(normalQuantile)).toEqual([-Infinity, Infinity, NaN]);
});

test('of Gaussian input it keeps k ± 5 %, whatever mean and spread', () => {
  const random = Random.fromSeed(1);
  const [n, tokens] = [4096, 40];
  for (const k of [128, 512, 2048]) {
    const x = random.normals(n * tokens).map((value) => 3 * value - 7);
    const { kept, values } = apply(x, n, k);
    expect(Math.abs(kept / tokens / k - 1)).toBeLessThan(0.05);
    const thresholds = Array.from({ length: tokens }, (_, t) =>
      normalThreshold(x.subarray(t * n, (t + 1) * n), normalQuantile(1 - k / n)),
    );
    const wrong = values.filter(
      (value, at) => value !== Math.fround(Math.max(0, x[at] - thresholds[Math.floor(at / n)])),
    );
    expect(wrong).toHaveLength(0);
  }
});

test('of skewed input it keeps another number: it is an approximation, and says how good', () => {
  const x = Random.fromSeed(2)
    .normals(4096)
    .map((value) => Math.exp(2 * value));
  expect(apply(x, 4096, 2048).kept).toBeLessThan(1500);
});

test('k = n keeps everything as it is; equal values have no threshold between them', () => {
  const x = Float32Array.of(3, -1, 2, 0);
  expect([...apply(x, 4, 4).values]).toEqual([...x]);
  expect(normalThreshold(Float32Array.of(5, 5, 5), normalQuantile(0))).toBe(5);
  expect(apply(Float32Array.of(5, 5, 5), 3, 1).kept).toBe(0);
  expect(() => statisticalTopK(4, 5)).toThrow(/keep 1 to 4, but k is 5/);
});
