import { describe, expect, test } from 'vitest';
import { architectureNames } from '../spec/architectures/architectures.ts';
import { configuredArchitecture } from '../autoencoders/implementations.ts';
import { exampleConfig } from '../fixtures/exampleConfig.ts';
import { Random } from '../numerics/random.ts';
import { startingBias, starts } from './startingRows.ts';

const [rows, d, width] = [300, 6, 40];
/** Variances 36, 16, 4, 1, 1, 1 along the axes, about a centre far from 0. */
const spread = [6, 4, 2, 1, 1, 1];
const centre = [3, -2, 5, 0, 1, 2];
const noise = Random.fromSeed(5, 'sample');
const sample = Float32Array.from(
  { length: rows * d },
  (_, at) => centre[at % d] + spread[at % d] * noise.normal(),
);
const median = Float32Array.from(centre);
const data = { sample, median };

describe.each(architectureNames)('%s', (name) => {
  const config = { ...exampleConfig(name), width };
  const architecture = configuredArchitecture(config);
  const begin = (settings: Parameters<typeof starts>[2], seed = 0) =>
    starts(architecture, width, settings, data)(Random.fromSeed(seed, 'initialisation'));
  const row = (matrix: Float32Array, i: number) => [...matrix.subarray(i * d, (i + 1) * d)];
  const norm = (v: readonly number[]) => Math.hypot(...v);
  const usual = begin({});

  test('rows have the norm that the architecture asks for, however they begin, and encoders are tied unless told otherwise', () => {
    const wanted = norm(row(usual.wDec, 0));
    for (const decoderStart of ['random', 'data', 'pca'] as const) {
      const { wEnc, wDec } = begin({ decoderStart });
      for (let i = 0; i < width; i++) expect(norm(row(wDec, i))).toBeCloseTo(wanted, 4);
      expect(wEnc).toEqual(wDec);
    }
    const own = begin({ encoderStart: 'random' });
    expect(own.wDec).toEqual(usual.wDec);
    expect(own.wEnc).not.toEqual(usual.wEnc);
    expect(norm(row(own.wEnc, 3))).toBeCloseTo(norm(row(usual.wEnc, 3)), 4);
  });

  test('pca begins along the axes of the data, both ways, alike in every seed, and goes on where the data vary', () => {
    const [one, other] = [begin({ decoderStart: 'pca' }, 1), begin({ decoderStart: 'pca' }, 2)];
    for (let i = 0; i < 2 * d; i++) expect(row(one.wDec, i)).toEqual(row(other.wDec, i));
    for (const axis of [0, 1, 2]) {
      const [plus, minus] = [row(one.wDec, 2 * axis), row(one.wDec, 2 * axis + 1)];
      expect(Math.abs(plus[axis]) / norm(plus)).toBeGreaterThan(0.95);
      plus.forEach((value, k) => expect(value).toBeCloseTo(-minus[k], 6));
    }
    expect(row(one.wDec, 2 * d)).not.toEqual(row(other.wDec, 2 * d));
    const along = (k: number) =>
      Array.from({ length: width - 2 * d }, (_, n) => row(one.wDec, 2 * d + n)[k] ** 2).reduce(
        (s, v) => s + v,
        0,
      );
    expect(along(0)).toBeGreaterThan(3 * along(5));
  });

  test('data begins along activations less their centre, another choice in every seed', () => {
    const [one, other] = [begin({ decoderStart: 'data' }, 1), begin({ decoderStart: 'data' }, 2)];
    for (const i of [0, 7]) {
      const own = row(one.wDec, i);
      const nearest = Math.max(
        ...Array.from({ length: rows }, (_, r) => {
          const x = centre.map((c, k) => sample[r * d + k] - c);
          return x.reduce((sum, v, k) => sum + v * own[k], 0) / norm(x) / norm(own);
        }),
      );
      expect(nearest).toBeCloseTo(1, 5);
    }
    expect(one.wDec).not.toEqual(other.wDec);
    expect(new Set(Array.from({ length: width }, (_, i) => one.wDec[i * d])).size).toBe(width);
  });

  test('the bias begins at the median, the mean or zero, and whatever follows from it', () => {
    expect([...usual.bDec]).toEqual(centre);
    const mean = begin({ biasStart: 'mean' });
    mean.bDec.forEach((value, k) => {
      expect(value).toBeCloseTo(
        sample.reduce((s, v, at) => (at % d === k ? s + v / rows : s), 0),
        4,
      );
      expect(value).not.toBe(centre[k]);
    });
    const zero = begin({ biasStart: 'zero' });
    expect([...zero.bDec]).toEqual([0, 0, 0, 0, 0, 0]);
    for (const value of zero.bEnc) expect(Math.abs(value)).toBe(0);
    expect(startingBias({}, data)).toBe(median);
  });
});

test('more latents than rows begin along differences of rows', () => {
  const few = { sample: sample.slice(0, 10 * d), median };
  const made = starts(
    configuredArchitecture({ ...exampleConfig('topk'), width }),
    width,
    { decoderStart: 'data' },
    few,
  )(Random.fromSeed(0));
  expect(made.wDec.every(Number.isFinite)).toBe(true);
});
