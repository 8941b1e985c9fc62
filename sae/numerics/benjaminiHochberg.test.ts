import { expect, test } from 'vitest';
import { discoveryLimit } from './benjaminiHochberg.ts';

// scipy.stats.false_discovery_control adjusts these to 0.01, 0.04, 0.084 (three times), 0.1, 0.1057, 0.216 (three times).
const published = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216];

test.each([
  [0.005, 0],
  [0.011, 0.001],
  [0.05, 0.008],
  [0.085, 0.042],
  [0.3, 0.216],
])('the discoveries at q = %f are those that SciPy adjusts to at most that', (q, limit) => {
  expect(discoveryLimit(published.toReversed(), q)).toBe(limit);
});

test('tests that were not made change nothing', () => {
  expect(discoveryLimit([NaN, ...published, NaN], 0.05)).toBe(0.008);
  expect(discoveryLimit([], 0.05)).toBe(0);
});
