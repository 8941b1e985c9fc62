import { expect, test } from 'vitest';
import { bootstrapSeeds } from './bootstrapSeeds.ts';
import { mutualNearest } from './matchingMethods.ts';
import { qualityCoverage } from './qualityCoverage.ts';

test('the surest pairs come first and latents without one last, at quality 0', () => {
  const match = Int32Array.of(5, -1, 7, 8, 9);
  const confidence = Float64Array.of(0.2, NaN, 0.9, 0.5, 0.7);
  const quality = [0.1, NaN, 1, 0.4, NaN];
  // Latent 4 is not judged. In order: 2, 3, 0, 1.
  const found = qualityCoverage([0, 1, 2, 3], { match, confidence }, (i) => quality[i], 4);
  const means = [1, 1.4 / 2, 1.5 / 3, 1.5 / 4];
  [means[0], ...means].forEach((mean, at) => expect(found.curve[at]).toBeCloseTo(mean, 12));
  expect(found.area).toBeCloseTo(
    means.reduce((sum, mean) => sum + mean / 4, 0),
    12,
  );
  expect(found.mean).toBeCloseTo(1.5 / 4, 12);
  expect(found.matched).toBe(0.75);
  expect(found.meanMatched).toBeCloseTo(0.5, 12);
});

test('a matching that is sure of its good pairs has more area than one that is sure of its bad ones', () => {
  const latents = Array.from({ length: 50 }, (_, i) => i);
  const match = Int32Array.from(latents);
  const area = (sign: number) =>
    qualityCoverage(
      latents,
      { match, confidence: Float64Array.from(latents, (i) => sign * i) },
      (i) => i / 50,
    ).area;
  expect(area(1)).toBeGreaterThan(area(-1) + 0.4);
});

test('nearest neighbours count where each is the other’s', () => {
  const weights = [
    [0.9, 0.1, 0.3],
    [0.95, 0.2, 0.4],
    [0.1, 0.8, 0.2],
  ];
  const candidates = {
    rows: 3,
    columns: 3,
    start: Int32Array.of(0, 3, 6, 9),
    column: Int32Array.of(0, 1, 2, 0, 1, 2, 0, 1, 2),
    weight: Float32Array.from(weights.flat()),
  };
  const { match, confidence } = mutualNearest(candidates);
  expect([...match]).toEqual([-1, 0, 1]);
  expect(confidence[0]).toBeNaN();
  expect(confidence[1]).toBeCloseTo(0.95, 6);
});

test('intervals over seeds hold the mean of pairs that differ by their seeds, and take three seeds', () => {
  const seeds = [3, 5, 8, 9];
  const of = new Map([[3, 0.1], [5, 0.2], [8, 0.5], [9, 0.6]]); // prettier-ignore
  const pairs = seeds.flatMap((a, i) =>
    seeds.slice(i + 1).map((b) => ({ a, b, value: of.get(a)! + of.get(b)! })),
  );
  const mean = pairs.reduce((sum, { value }) => sum + value, 0) / pairs.length;
  const [low, high] = bootstrapSeeds(seeds, pairs)!;
  expect(low).toBeLessThan(mean - 0.1);
  expect(high).toBeGreaterThan(mean + 0.1);
  expect(bootstrapSeeds(seeds, pairs)).toEqual([low, high]);
  // Pairs that are all alike leave nothing open.
  expect(bootstrapSeeds(seeds, pairs.map((pair) => ({ ...pair, value: 2 })))).toEqual([2, 2]); // prettier-ignore
  expect(bootstrapSeeds([3, 5], pairs.slice(0, 1))).toBeNull();
  expect(bootstrapSeeds(seeds, [{ a: 3, b: 5, value: NaN }])).toBeNull();
});
