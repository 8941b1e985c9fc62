import { beforeAll, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { tf } from '../../tensor/tf.ts';
import { KernelAlignment } from './kernelAlignment.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const tokens = 2000;
const x = Random.fromSeed(1).normals(tokens * 3);

function alignment(a: Float32Array, aWidth: number, b: Float32Array, bWidth: number): number {
  const cka = new KernelAlignment(aWidth, bWidth);
  const half = tokens / 2;
  cka.add(a.subarray(0, half * aWidth), b.subarray(0, half * bWidth));
  cka.add(a.subarray(half * aWidth), b.subarray(half * bWidth));
  return cka.value();
}

test('a representation is aligned with itself rotated, scaled and moved', () => {
  const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
  const moved = x.map((_, at) => {
    const row = at - (at % 3);
    const rotated = [c * x[row] - s * x[row + 1], s * x[row] + c * x[row + 1], x[row + 2]];
    return 5 * rotated[at % 3] + 2;
  });
  const tensors = tf.memory().numTensors;
  expect(alignment(x, 3, moved, 3)).toBeCloseTo(1, 4);
  expect(tf.memory().numTensors).toBe(tensors);
});

test('independent representations are not aligned', () => {
  expect(alignment(x, 3, Random.fromSeed(2).normals(tokens * 4), 4)).toBeLessThan(0.01);
});

test('with one axis of three shared, alignment is 1/√3', () => {
  const first = x.filter((_, at) => at % 3 === 0);
  expect(alignment(x, 3, first, 1)).toBeCloseTo(1 / Math.sqrt(3), 1);
});

test('with labels: 1 when the representation is the label, NaN when it does not vary', () => {
  const labels = Float32Array.from({ length: tokens * 2 }, (_, at) =>
    Number(Math.floor(at / 2) % 2 === at % 2),
  );
  const signs = Float32Array.from({ length: tokens }, (_, t) => (t % 2 === 0 ? 1 : -1));
  expect(alignment(signs, 1, labels, 2)).toBeCloseTo(1, 6);
  expect(alignment(new Float32Array(tokens), 1, labels, 2)).toBeNaN();
});

test('different numbers of tokens are refused', () => {
  expect(() => new KernelAlignment(2, 1).add(new Float32Array(8), new Float32Array(3))).toThrow(/4 and 3/);
});
