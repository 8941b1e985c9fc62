import { describe, expect, test } from 'vitest';
import { LazyscopeError } from '../../errors.ts';
import type { ComparisonManifest } from '../../spec/manifests/comparison.ts';
import { learningCurve, returnHistogram, returnsAt, returnShares } from './returns.ts';
import { comparisonsOfSeeds } from './seedCosines.ts';

/** Four latents of one seed and how near their counterparts are in three others. */
const others = [
  Float32Array.of(0.9, 0.8, -1, 0.3),
  Float32Array.of(0.95, 0.6, -1, 0.75),
  Float32Array.of(0.72, 0.9, -1, 0.1),
];
const cosines = new Map([[0, others]]);

test('a latent comes back in the seeds whose cosine reaches the threshold', () => {
  expect([...returnsAt(others, 0.7)]).toEqual([3, 2, 0, 1]);
  expect([...returnsAt(others, 0.92)]).toEqual([1, 0, 0, 0]);
  expect(returnHistogram(cosines, 0.7)).toEqual([1, 1, 1, 1]);
  expect(returnShares([1, 1, 1, 1])).toEqual({ every: 0.25, any: 0.75, mean: 0.5 });
});

describe('the number of seeds', () => {
  test('the share in all of n seeds is the mean over which other seeds these are', () => {
    const { points } = learningCurve([1, 1, 1, 1]);
    // With one other seed: (0 + 1/3 + 2/3 + 1)/4; with two: pairs within 2 and 3 of 3; with three: one latent.
    expect(points.slice(0, 3).map(({ observed }) => observed)).toEqual([
      expect.closeTo(0.5, 12),
      expect.closeTo((1 / 3 + 1) / 4, 12),
      expect.closeTo(0.25, 12),
    ]);
    expect(points[3].observed).toBeNull();
  });

  test('with three seeds the law goes through what was seen, and never rises', () => {
    const { points, law, enough } = learningCurve([700, 100, 200]);
    expect(law).not.toBeNull();
    for (const { observed, fitted } of points.slice(0, 2)) expect(fitted).toBeCloseTo(observed ?? NaN, 3);
    const fitted = points.map((point) => point.fitted ?? NaN);
    for (let i = 1; i < fitted.length; i++) expect(fitted[i]).toBeLessThan(fitted[i - 1]);
    const at = points.findIndex(({ seeds }) => seeds === enough);
    expect(fitted[at] - fitted[at + 1]).toBeLessThan(0.01);
    expect(fitted[at - 1] - fitted[at]).toBeGreaterThanOrEqual(0.01);
  });

  test('two seeds have no law', () => {
    const { points, law, enough } = learningCurve([60, 40]);
    expect([points.length, law, enough]).toEqual([1, null, null]);
    expect(points[0]).toMatchObject({ seeds: 2, observed: 0.4, fitted: null });
  });
});

describe('comparisons', () => {
  const comparison = (a: number, b: number, createdAt: string) =>
    ({
      name: `${a}-${b}-${createdAt}`,
      createdAt,
      a: { run: 'r', seed: a },
      b: { run: 'r', seed: b },
    }) as ComparisonManifest;

  test('the newest of each pair counts, whichever seed comes first in it', () => {
    const found = comparisonsOfSeeds(
      'r',
      [0, 1, 2],
      [comparison(1, 0, 'b'), comparison(0, 1, 'a'), comparison(0, 2, 'a'), comparison(2, 1, 'a')],
    );
    expect(found.map(({ name }) => name)).toEqual(['1-0-b', '0-2-a', '2-1-a']);
  });

  test('a pair that was not compared is named, with the command', () => {
    const missing = () => comparisonsOfSeeds('r', [0, 1, 2], [comparison(0, 1, 'a'), comparison(1, 2, 'a')]);
    expect(missing).toThrow(LazyscopeError);
    expect(missing).toThrow(/Seeds 0 and 2 of run 'r'.*lazyscope compare r\/0 r\/2/);
  });
});
