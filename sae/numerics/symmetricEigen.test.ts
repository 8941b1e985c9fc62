import { expect, test } from 'vitest';
import { Random } from './random.ts';
import { symmetricEigen } from './symmetricEigen.ts';

test.each([1, 2, 3, 10, 40])('A v = λ v with orthonormal vectors, %i × %i', (n) => {
  const random = Random.fromSeed(n);
  const half = random.normals(n * n);
  const a = Float64Array.from(half, (x, at) => x + half[(at % n) * n + Math.floor(at / n)]);
  const { values, vectors } = symmetricEigen(a, n);
  const row = (i: number) => vectors.subarray(i * n, (i + 1) * n);
  for (let i = 0; i < n; i++) {
    if (i > 0) expect(values[i]).toBeLessThanOrEqual(values[i - 1]);
    for (let r = 0; r < n; r++) {
      const product = row(i).reduce((sum, x, k) => sum + a[r * n + k] * x, 0);
      expect(product).toBeCloseTo(values[i] * row(i)[r], 9);
    }
    for (let j = 0; j <= i; j++)
      expect(row(i).reduce((sum, x, k) => sum + x * row(j)[k], 0)).toBeCloseTo(i === j ? 1 : 0, 10);
  }
});

test('repeated and zero eigenvalues', () => {
  const { values } = symmetricEigen([2, 0, 0, 0, 2, 0, 0, 0, 0], 3);
  expect([...values]).toEqual([2, 2, 0]);
  expect([...symmetricEigen(new Float64Array(16), 4).values]).toEqual([0, 0, 0, 0]);
});

test('only the lower triangle is read', () => {
  const { values, vectors } = symmetricEigen([2, 99, 1, 2], 2);
  expect([...values]).toEqual([expect.closeTo(3, 12), expect.closeTo(1, 12)]);
  expect(Math.abs(vectors[0])).toBeCloseTo(Math.SQRT1_2, 12);
});

test.each([NaN, Infinity])('%f in the matrix is said, and no eigenvalues are made of it', (bad) => {
  expect(() => symmetricEigen([1, 0, bad, 1], 2)).toThrow(/NaN or infinities/);
});
