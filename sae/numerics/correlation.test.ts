import { expect, test } from 'vitest';
import { pearson, spearman } from './correlation.ts';

test('agrees with scipy.stats on values with ties', () => {
  // scipy 1.17.1: pearsonr(x, y).statistic and spearmanr(x, y).statistic.
  const x = [3.1, -2, 7.5, 7.5, 0.25, 11, -4, 2];
  const y = [1, 1, 9, 4, -3, 30, -2, 1];
  expect(pearson(x, y)).toBeCloseTo(0.7950408072013132, 12);
  expect(spearman(x, y)).toBeCloseTo(0.8713132312710234, 12);
});

test('is not defined for fewer than three pairs, and where one side does not vary', () => {
  expect(pearson([1, 2], [2, 1])).toBeNull();
  expect(pearson([1, 2, 3], [4, 4, 4])).toBeNull();
  expect(spearman([1, 1, 1], [1, 2, 3])).toBeNull();
});
