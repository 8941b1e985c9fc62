import { beforeAll, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { finish } from '../../steps.ts';
import { tf } from '../../tensor/tf.ts';
import type { Directions } from '../directions.ts';
import { rsaSteps, svccaSteps } from './spaceSimilarity.ts';

beforeAll(() => tf.setBackend('cpu'));

const rows = 400;
const vectors = (stream: string, d: number, count = rows): Directions => ({
  rows: count,
  d,
  data: Random.fromSeed(7, stream).normals(count * d),
});
const options = (draws = 19) => ({ draws, random: Random.fromSeed(1, 'pairings') });

/** Rows times a matrix with orthonormal rows [from.d, d], which turns them into a wider space. */
function turned(from: Directions, d: number): Directions {
  const random = Random.fromSeed(2, 'rotation');
  const basis: Float64Array[] = [];
  while (basis.length < from.d) {
    const v = Float64Array.from({ length: d }, () => random.normal());
    for (const u of basis) {
      const along = v.reduce((sum, x, k) => sum + x * u[k], 0);
      v.forEach((x, k) => (v[k] = x - along * u[k]));
    }
    const norm = Math.hypot(...v);
    basis.push(v.map((x) => x / norm));
  }
  const data = new Float32Array(from.rows * d);
  for (let i = 0; i < from.rows; i++)
    for (let j = 0; j < from.d; j++)
      for (let k = 0; k < d; k++) data[i * d + k] += 3 * from.data[i * from.d + j] * basis[j][k];
  return { rows: from.rows, d, data };
}

test('a space turned, scaled and put into a wider one is the same to both measures, and no random pairing reaches it', () => {
  const a = vectors('a', 12);
  const b = turned(a, 30);
  const svcca = finish(svccaSteps(a, b, options()));
  expect(svcca.value).toBeCloseTo(1, 4);
  expect(svcca.components).toEqual([12, 12]);
  expect(svcca.most).toBeLessThan(0.4);
  expect(svcca.p).toBe(1 / 20);
  const rsa = finish(rsaSteps(a, b, options()));
  expect(rsa.value).toBeCloseTo(1, 4);
  expect(Math.abs(rsa.most)).toBeLessThan(0.1);
  expect(rsa.p).toBe(1 / 20);
});

test('of spaces that have six of twelve dimensions in common, half is found', () => {
  const [a, b] = [vectors('a', 12), vectors('b', 12)];
  for (let i = 0; i < rows; i++) b.data.set(a.data.subarray(i * 12, i * 12 + 6), i * 12);
  const { value, chance } = finish(svccaSteps(a, b, options()));
  // Six correlations of 1; the other six are what twelve numbers of 400 vectors correlate by chance.
  expect(value).toBeGreaterThan(0.5);
  expect(value).toBeCloseTo(0.5 + chance / 2, 1);
});

test('the intervals are as wide as values vary from one set of vectors to the next', () => {
  const values: Record<'svcca' | 'rsa', { value: number; half: number }[]> = { svcca: [], rsa: [] };
  for (let draw = 0; draw < 30; draw++) {
    const a = vectors(`interval a ${draw}`, 6, 150);
    const b = vectors(`interval b ${draw}`, 6, 150);
    // Half of the variance is common.
    for (let at = 0; at < a.data.length; at++) b.data[at] = (a.data[at] + b.data[at]) / Math.SQRT2;
    const found = { svcca: finish(svccaSteps(a, b, options(1))), rsa: finish(rsaSteps(a, b, options(1))) };
    for (const measure of ['svcca', 'rsa'] as const) {
      const { value, interval } = found[measure];
      const [low, high] = interval!;
      expect(low).toBeLessThan(value);
      expect(high).toBeGreaterThan(value);
      values[measure].push({ value, half: (high - low) / 2 });
    }
  }
  for (const all of Object.values(values)) {
    const mean = all.reduce((sum, { value }) => sum + value / all.length, 0);
    const spread = Math.sqrt(all.reduce((sum, { value }) => sum + (value - mean) ** 2, 0) / (all.length - 1));
    const half = all.reduce((sum, one) => sum + one.half / all.length, 0);
    expect(half / (2.262 * spread)).toBeGreaterThan(0.7);
    expect(half / (2.262 * spread)).toBeLessThan(1.6);
  }
});

test('unrelated vectors reach what random pairings reach, and p is uniform over repetitions', () => {
  const ps = Array.from({ length: 40 }, (_, n) => {
    const [a, b] = [vectors(`a ${n}`, 4, 60), vectors(`b ${n}`, 6, 60)];
    const own = { draws: 19, random: Random.fromSeed(n, 'pairings') };
    return [finish(svccaSteps(a, b, own)).p, finish(rsaSteps(a, b, own)).p];
  });
  for (const at of [0, 1]) {
    const sorted = ps.map((own) => own[at]).sort((x, y) => x - y);
    // Kolmogorov and Smirnov's distance from the uniform law on 1/20, 2/20, … 1, which 1.63/√40 bounds at 1 %.
    const distance = Math.max(
      ...Array.from({ length: 20 }, (_, n) =>
        Math.abs(sorted.filter((p) => p <= (n + 1) / 20 + 1e-9).length / 40 - (n + 1) / 20),
      ),
    );
    expect(distance).toBeLessThan(1.63 / Math.sqrt(40));
  }
});

test('few vectors keep few components, so that a value near 1 means something', () => {
  const [a, b] = [vectors('a', 64, 70), vectors('b', 64, 70)];
  const { value, components } = finish(svccaSteps(a, b, options()));
  expect(components).toEqual([7, 7]);
  expect(value).toBeLessThan(0.5);
  expect(finish(svccaSteps(vectors('a', 4, 5), vectors('b', 4, 5), options())).value).toBeNaN();
});

test('RSA is Spearman’s correlation of the cosines', () => {
  const [a, b] = [vectors('a', 3, 4), vectors('b', 3, 4)];
  const cosines = ({ data }: Directions) => {
    const mean = [0, 1, 2].map((k) => [0, 1, 2, 3].reduce((sum, i) => sum + data[i * 3 + k] / 4, 0));
    const row = (i: number) => [0, 1, 2].map((k) => data[i * 3 + k] - mean[k]);
    const pairs = [[1, 0], [2, 0], [2, 1], [3, 0], [3, 1], [3, 2]]; // prettier-ignore
    return pairs.map(([i, j]) => {
      const [x, y] = [row(i), row(j)];
      return x.reduce((sum, v, k) => sum + v * y[k], 0) / Math.hypot(...x) / Math.hypot(...y);
    });
  };
  const ranks = (values: number[]) => values.map((v) => values.filter((w) => w < v).length);
  const [x, y] = [ranks(cosines(a)), ranks(cosines(b))];
  const squares = x.reduce((sum, rank, at) => sum + (rank - y[at]) ** 2, 0);
  const { value, vectors: compared } = finish(rsaSteps(a, b, options()));
  expect(compared).toBe(4);
  expect(value).toBeCloseTo(1 - (6 * squares) / (6 * 35), 6);
});
