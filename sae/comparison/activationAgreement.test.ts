import { expect, test } from 'vitest';
import type { SparseCode } from '../autoencoders/autoencoder.ts';
import { Random } from '../numerics/random.ts';
import { ActivationAgreement } from './activationAgreement.ts';

/** Dense rows [rows][latents] as a sparse code. */
function code(dense: number[][]): SparseCode {
  const rowStart = [0];
  const indices: number[] = [];
  const values: number[] = [];
  for (const row of dense) {
    row.forEach((value, latent) => {
      if (value <= 0) return;
      indices.push(latent);
      values.push(value);
    });
    rowStart.push(indices.length);
  }
  return {
    rows: dense.length,
    rowStart: Int32Array.from(rowStart),
    indices: Int32Array.from(indices),
    values: Float32Array.from(values),
  };
}

test('latents that fire together in proportion have Jaccard 1 and correlation 1', () => {
  const a = [[1], [2], [0], [4]];
  const agreement = new ActivationAgreement(Int32Array.of(0), 1);
  agreement.add(code(a), code(a.map(([x]) => [x * 3])));
  expect(agreement.jaccard()[0]).toBe(1);
  expect(agreement.correlation()[0]).toBeCloseTo(1, 12);
});

test('latents that never fire together have Jaccard 0 and a negative correlation', () => {
  const agreement = new ActivationAgreement(Int32Array.of(0), 1);
  agreement.add(code([[1], [2], [0], [0], [0]]), code([[0], [0], [3], [1], [0]]));
  expect(agreement.jaccard()[0]).toBe(0);
  expect(agreement.correlation()[0]).toBeLessThan(-0.5);
});

test('without firings, without variance and without a counterpart there is no number', () => {
  const agreement = new ActivationAgreement(Int32Array.of(0, 1, -1), 2);
  agreement.add(
    code([
      [0, 1, 5],
      [0, 1, 6],
    ]),
    code([
      [0, 2],
      [0, 3],
    ]),
  );
  expect([...agreement.jaccard()]).toEqual([NaN, 1, NaN]);
  expect([...agreement.correlation()]).toEqual([NaN, NaN, NaN]);
});

test('batches add up to what the definitions give on dense activations', () => {
  const random = Random.fromSeed(1);
  const sparse = () => (random.uniform() < 0.3 ? Math.fround(random.uniform() + 0.1) : 0);
  const make = (latents: number) =>
    Array.from({ length: 200 }, () => Array.from({ length: latents }, sparse));
  const [a, b] = [make(4), make(5)];
  // Latents 0 and its partner mostly agree.
  a.forEach((row, t) => (b[t][3] = row[0] > 0 ? Math.fround(row[0] * 2 + 0.1 * random.uniform()) : 0));
  const match = Int32Array.of(3, 0, 4, -1);
  const agreement = new ActivationAgreement(match, 5);
  agreement.add(code(a.slice(0, 70)), code(b.slice(0, 70)));
  agreement.add(code(a.slice(70)), code(b.slice(70)));
  for (let i = 0; i < 3; i++) {
    const pairs = a.map((row, t) => [row[i], b[t][match[i]]]).filter(([x, y]) => x > 0 || y > 0);
    const n = pairs.length;
    const mean = (side: 0 | 1) => pairs.reduce((sum, pair) => sum + pair[side], 0) / n;
    const [mx, my] = [mean(0), mean(1)];
    const sum = (f: (x: number, y: number) => number) =>
      pairs.reduce((s, [x, y]) => s + f(x - mx, y - my), 0);
    const pearson = sum((x, y) => x * y) / Math.sqrt(sum((x) => x * x) * sum((_, y) => y * y));
    expect(agreement.correlation()[i]).toBeCloseTo(pearson, 10);
    expect(agreement.jaccard()[i]).toBeCloseTo(pairs.filter(([x, y]) => x > 0 && y > 0).length / n, 12);
  }
  expect(agreement.correlation()[0]).toBeGreaterThan(0.95);
});
