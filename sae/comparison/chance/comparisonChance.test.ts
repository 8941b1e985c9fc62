import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { tf } from '../../tensor/tf.ts';
import type { Counterparts } from '../counterparts.ts';
import { cosineMatrix, type Directions } from '../directions.ts';
import { assign } from '../assignment.ts';
import { activationSpectrum, inEigenbasis, rowSpectrum } from './activationSpectrum.ts';
import { comparisonChance, SharedNulls } from './comparisonChance.ts';
import { isotropicMmcs } from './isotropicLaw.ts';
import { covarianceNull, isotropicNull } from './nullLaw.ts';
import { isotropicChance, spectrumChance } from './pairChance.ts';
import { covarianceSource, isotropicSource } from './randomDirections.ts';
import { eigenvalueBlocks, randomOrthogonal, rotatedInBlocks } from './rotatedDictionary.ts';

beforeAll(() => tf.setBackend('cpu'));

const d = 24;
/** Eigenvalues that fall like 1/k, in a basis that is turned at random. */
const eigenvalues = Float64Array.from({ length: d }, (_, k) => 1 / (k + 1));
const vectors = Float32Array.from(randomOrthogonal(d, Random.fromSeed(1)));
const spectrum = { d, eigenvalues, vectors, rows: 10_000 };

function optimal(a: Directions, b: Directions): Counterparts {
  const data = cosineMatrix(a, b);
  const { rowToColumn: match } = assign({ rows: a.rows, columns: b.rows, data });
  return { match, cosine: Float64Array.from(match, (j, i) => (j < 0 ? NaN : data[i * b.rows + j])) };
}

function nearest(a: Directions, b: Directions): Counterparts {
  const data = cosineMatrix(a, b);
  const match = Int32Array.from({ length: a.rows }, (_, i) => {
    const row = data.subarray(i * b.rows, (i + 1) * b.rows);
    return row.indexOf(Math.max(...row));
  });
  return { match, cosine: Float64Array.from(match, (j, i) => data[i * b.rows + j]) };
}

const meanOf = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('nulls agree with dictionaries drawn at random, to 1 %', () => {
  test.each([
    ['isotropic', isotropicSource(d), () => isotropicNull(d, [300, 200])],
    [
      'covariance',
      covarianceSource(spectrum),
      () => covarianceNull({ a: spectrum, b: spectrum }, [300, 200]),
    ],
  ] as const)('%s', (_, source, law) => {
    const { mmcs, pwMcc, nearest: reaches, matched, draws } = law();
    const found = { mmcs: 0, pwMcc: 0, near: 0, matched: 0 };
    const rounds = 40;
    for (let round = 0; round < rounds; round++) {
      const random = Random.fromSeed(round, 'independent');
      const [a, b] = [source.draw(300, random), source.draw(200, random)];
      const near = nearest(a, b);
      const pairs = optimal(a, b);
      found.mmcs += meanOf(near.cosine) / rounds;
      found.pwMcc += meanOf(pairs.cosine.filter((c) => !Number.isNaN(c))) / rounds;
      found.near += near.cosine.filter((c) => c >= 0.6).length / 300 / rounds;
      found.matched += pairs.cosine.filter((c) => c >= 0.6).length / 300 / rounds;
    }
    expect(Math.abs(mmcs / found.mmcs - 1)).toBeLessThan(0.01);
    expect(Math.abs(pwMcc / found.pwMcc - 1)).toBeLessThan(0.01);
    // Shares of a few hundred latents, within what 40 rounds and the draws of the law leave open.
    expect(Math.abs(reaches[60] - found.near)).toBeLessThan(0.02);
    expect(Math.abs(matched[60] - found.matched)).toBeLessThan(0.02);
    expect(draws).toBeGreaterThanOrEqual(5);
    // 100 of the 300 rows have no counterpart.
    expect(matched[0]).toBeLessThanOrEqual(2 / 3);
  });

  test('one seed gives one law', () => {
    expect(covarianceNull({ a: spectrum, b: spectrum }, [40, 40])).toEqual(
      covarianceNull({ a: spectrum, b: spectrum }, [40, 40]),
    );
  });
});

/** Largest distance of the distribution of `values` from the uniform one, times √n: above 1.63 once in a hundred times. */
function kolmogorovSmirnov(values: Float64Array): number {
  const sorted = values.toSorted();
  const n = sorted.length;
  const distance = sorted.reduce(
    (largest, value, i) => Math.max(largest, (i + 1) / n - value, value - i / n),
    0,
  );
  return distance * Math.sqrt(n);
}

describe('p-values', () => {
  const inBasis = (rows: Directions) => ({ ...rows, data: inEigenbasis(spectrum, rows.data) });
  /** Directions in the common basis, as a dictionary's are. */
  const drawn = (rows: number, seed: number): Directions => {
    const own = covarianceSource(spectrum).draw(rows, Random.fromSeed(seed, 'dictionary'));
    const data = tf.tidy(() =>
      tf.matMul(tf.tensor2d(own.data, [rows, d]), tf.tensor2d(vectors, [d, d])).dataSync<'float32'>(),
    );
    return { rows, d, data };
  };

  test('of two unrelated dictionaries’ nearest rows are uniform', () => {
    const [a, b] = [drawn(600, 1), drawn(400, 2)];
    const p = spectrumChance(nearest(a, b), a, { spectrum, count: b.rows });
    expect(kolmogorovSmirnov(p)).toBeLessThan(1.63);
    const random = Random.fromSeed(5);
    const [left, right] = [isotropicSource(d).draw(600, random), isotropicSource(d).draw(400, random)];
    expect(kolmogorovSmirnov(isotropicChance(nearest(left, right), d, 400))).toBeLessThan(1.63);
    // The test can fail: isotropic chances of directions that are not isotropic.
    expect(kolmogorovSmirnov(isotropicChance(nearest(a, b), d, 400))).toBeGreaterThan(5);
  });

  const chanceOf = (a: Directions, b: Directions) =>
    comparisonChance({
      a,
      b,
      matched: optimal(a, b),
      threshold: 0.7,
      activations: null,
      nulls: new SharedNulls(),
    });

  test('of a permuted copy are far beyond chance, of the same copy turned at random none is', () => {
    const a = drawn(200, 3);
    const order = Random.fromSeed(4).permutation(a.rows);
    const data = new Float32Array(a.data.length);
    order.forEach((to, from) => data.set(a.data.subarray(from * d, (from + 1) * d), to * d));
    const b = { ...a, data };
    const copied = chanceOf(a, b);
    expect(copied.manifest.beyond.share).toBe(1);
    expect(Math.max(...copied.chanceP)).toBeLessThan(1e-6);
    const turned = chanceOf(inBasis(a), rotatedInBlocks(b, spectrum, Random.fromSeed(6)));
    expect(turned.manifest.beyond).toMatchObject({ null: 'isotropic', q: 0.05 });
    expect(turned.manifest.beyond.share).toBeLessThan(0.01);
  });

  test('half of the rows copied: about that half is beyond chance, false discoveries included', () => {
    const [a, b] = [drawn(200, 7), drawn(200, 8)];
    b.data.set(a.data.subarray(0, 100 * d));
    const { manifest, chanceP } = chanceOf(a, b);
    const found = chanceP.map((p) => Number(p <= manifest.beyond.p));
    expect(meanOf(found.slice(0, 100))).toBe(1);
    expect(meanOf(found.slice(100))).toBeLessThan(0.15);
  });

  test('a latent without a counterpart has none', () => {
    const { chanceP, isotropicP, manifest } = chanceOf(drawn(30, 9), drawn(20, 10));
    expect(chanceP.filter((p) => Number.isNaN(p))).toHaveLength(10);
    expect(isotropicP.filter((p) => Number.isNaN(p))).toHaveLength(10);
    expect(manifest.covariance).toBeUndefined();
  });
});

describe('spectra', () => {
  test('the covariance of rows drawn with one is that one, about a mean that is far away', () => {
    const random = Random.fromSeed(11);
    const rows = 5000;
    const scale = eigenvalues.map(Math.sqrt);
    const own = Float32Array.from(random.normals(rows * d), (x, at) => x * scale[at % d]);
    const x = tf.tidy(() =>
      tf
        .matMul(tf.tensor2d(own, [rows, d]), tf.tensor2d(vectors, [d, d]))
        .add(tf.scalar(100))
        .dataSync<'float32'>(),
    );
    const found = activationSpectrum(
      {
        trainRows: rows,
        width: () => d,
        readRows: (_, start, count) => x.slice(start * d, (start + count) * d),
      },
      'any',
    );
    found?.eigenvalues.forEach((value, k) => {
      if (k < 4) expect(Math.abs(value / eigenvalues[k] - 1)).toBeLessThan(0.08);
    });
    expect(found?.rows).toBeGreaterThanOrEqual(rows);
    const lead = found?.vectors.subarray(0, d).reduce((sum, value, k) => sum + value * vectors[k], 0);
    expect(Math.abs(lead ?? 0)).toBeGreaterThan(0.98);
  });

  test('activations that do not vary have none', () => {
    const still = {
      trainRows: 50,
      width: () => 3,
      readRows: (_: string, __: number, n: number) => new Float32Array(3 * n).fill(2),
    };
    expect(activationSpectrum(still, 'any')).toBeNull();
    expect(rowSpectrum({ rows: 2, d: 3, data: new Float32Array(6) })).toBeNull();
  });

  test('blocks of like variance: within a factor of two, zeros together', () => {
    expect(eigenvalueBlocks(Float64Array.of(8, 5, 4, 3.9, 2, 0.1, 0, 0))).toEqual([
      [0, 2],
      [2, 4],
      [4, 5],
      [5, 6],
      [6, 8],
    ]);
  });

  test('a random orthogonal matrix is orthogonal', () => {
    const q = randomOrthogonal(40, Random.fromSeed(12));
    for (let i = 0; i < 40; i++)
      for (let j = 0; j <= i; j++) {
        let dot = 0;
        for (let k = 0; k < 40; k++) dot += q[i * 40 + k] * q[j * 40 + k];
        expect(dot).toBeCloseTo(i === j ? 1 : 0, 12);
      }
  });

  test('in 128 dimensions, 1,024 random rows reach an MMCS of 0.283', () => {
    expect(isotropicMmcs(128, 1024)).toBeCloseTo(0.283, 3);
  });
});
