import { describe, expect, test } from 'vitest';
import { leadingEigenvectors } from './leadingEigenvectors.ts';
import { Random } from './random.ts';
import { symmetricEigen } from './symmetricEigen.ts';

/** Q diag(values) Qᵀ with a random rotation Q: a matrix of these eigenvalues. */
function withEigenvalues(values: readonly number[]): Float64Array {
  const n = values.length;
  const random = Random.fromSeed(n);
  const noise = Float64Array.from({ length: n * n }, () => random.normal());
  const { vectors } = symmetricEigen(
    noise.map((x, at) => x + noise[(at % n) * n + Math.floor(at / n)]),
    n,
  );
  const a = new Float64Array(n * n);
  for (let k = 0; k < n; k++)
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) a[i * n + j] += values[k] * vectors[k * n + i] * vectors[k * n + j];
  return a;
}

const spectra: Record<string, readonly number[]> = {
  'spread evenly': Array.from({ length: 40 }, (_, i) => 40 - i),
  'falling by powers of ten': Array.from({ length: 20 }, (_, i) => 10 ** -i),
  'four times the same': [5, 5, 5, 5, 3, 2, 2, 1, 0, 0, -1],
  'of rank two': [7, 2, ...Array.from({ length: 30 }, () => 0)],
  'of both signs': [3, 1, -2, -8, -9],
  'a single one': [4],
};

describe.each(Object.entries(spectra))('eigenvalues %s', (_, values) => {
  const n = values.length;
  const size = Math.max(...values.map(Math.abs));
  const a = withEigenvalues(values);

  test.each([1, Math.ceil(n / 4), n])('the first %i are those of the whole decomposition', (count) => {
    const found = leadingEigenvectors(a, n, count);
    found.values.forEach((value, i) => expect(Math.abs(value - values[i])).toBeLessThan(1e-13 * size * n));
    for (let i = 0; i < count; i++) {
      const v = found.vectors.subarray(i * n, (i + 1) * n);
      for (let k = 0; k < n; k++) {
        const image = a.subarray(k * n, (k + 1) * n).reduce((sum, x, j) => sum + x * v[j], 0);
        expect(Math.abs(image - values[i] * v[k])).toBeLessThan(1e-12 * size * n);
      }
      for (let j = 0; j <= i; j++) {
        const other = found.vectors.subarray(j * n, (j + 1) * n);
        const product = v.reduce((sum, x, k) => sum + x * other[k], 0);
        expect(product).toBeCloseTo(i === j ? 1 : 0, 12);
      }
    }
  });
});

test('a matrix of zeros has any orthonormal vectors, and one with NaN is refused', () => {
  const { values, vectors } = leadingEigenvectors(new Float64Array(9), 3, 2);
  expect([...values]).toEqual([0, 0]);
  const [a, b] = [vectors.subarray(0, 3), vectors.subarray(3)];
  expect(a.reduce((sum, x, k) => sum + x * b[k], 0)).toBeCloseTo(0, 12);
  expect(Math.hypot(...a)).toBeCloseTo(1, 12);
  expect(() => leadingEigenvectors([1, 0, Number.NaN, 1], 2, 1)).toThrow(/NaN or infinities/);
});
