import { beforeAll, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { tf } from '../../tensor/tf.ts';
import { KernelAlignment } from './kernelAlignment.ts';
import { labelAlignment } from './labelAlignment.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

test('is the alignment with one-hot labels written out', () => {
  const random = Random.fromSeed(1);
  const [tokens, d, classes] = [60, 5, 7];
  const labels = Int32Array.from({ length: tokens }, () => random.below(classes));
  const x = random
    .normals(tokens * d)
    .map((value, at) => value + (labels[Math.floor(at / d)] === at % d ? 2 : 0));
  const oneHot = new Float32Array(tokens * classes);
  labels.forEach((label, t) => (oneHot[t * classes + label] = 1));
  const written = new KernelAlignment(d, classes);
  written.add(x, oneHot);
  expect(labelAlignment(x, d, labels)).toBeCloseTo(written.value(), 5);
});

test('1 where the representation is the label, NaN where nothing varies', () => {
  const labels = Int32Array.of(0, 1, 2, 0, 1, 2);
  const oneHot = Float32Array.from({ length: 18 }, (_, at) => Number(labels[Math.floor(at / 3)] === at % 3));
  expect(labelAlignment(oneHot, 3, labels)).toBeCloseTo(1, 5);
  expect(labelAlignment(oneHot, 3, new Int32Array(6))).toBeNaN();
});
