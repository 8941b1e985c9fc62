import { expect, test } from 'vitest';
import { stabilityTrend } from './stabilityTrend.ts';

const count = 100;
const density = Array.from({ length: count }, (_, i) => ((i * 37) % count) / count);

test('what rises with the quantity correlates fully, in rising groups', () => {
  const { rankCorrelation, groups } = stabilityTrend(
    density.map((x) => x ** 3),
    density,
    5,
  );
  expect(rankCorrelation).toBeCloseTo(1, 12);
  expect(groups.map((group) => group.latents)).toEqual([20, 20, 20, 20, 20]);
  for (let g = 1; g < 5; g++) {
    expect(groups[g].at).toBeGreaterThan(groups[g - 1].at);
    expect(groups[g].stability).toBeGreaterThan(groups[g - 1].stability);
  }
  expect(groups[0].orphans).toBe(0.05);
});

test('ties share their rank: half stable, half orphans, unrelated to the quantity', () => {
  const { rankCorrelation } = stabilityTrend([0, 1, 0, 1], [1, 1, 2, 2], 2);
  expect(rankCorrelation).toBe(0);
  expect(stabilityTrend([0, 0.25, 0.5, 1], [4, 3, 2, 1]).rankCorrelation).toBeCloseTo(-1, 12);
});

test('latents that say nothing are left out; one value everywhere correlates with nothing', () => {
  const { groups, rankCorrelation } = stabilityTrend([1, NaN, 1, 1], [1, 2, NaN, 3], 10);
  expect(groups.reduce((sum, group) => sum + group.latents, 0)).toBe(2);
  expect(rankCorrelation).toBeNaN();
});
