import { expect, test } from 'vitest';
import { jeffreysInterval } from './jeffreysInterval.ts';

// scipy.stats.beta.ppf([0.025, 0.975], k + 0.5, n - k + 0.5) of SciPy 1.17.1.
test.each([
  [1, 4, [0.0284709, 0.71624832]],
  [30, 100, [0.21684143, 0.39454651]],
] as const)('%i of %i as SciPy says', (successes, trials, expected) => {
  const found = jeffreysInterval(successes, trials);
  found.forEach((bound, i) => expect(bound).toBeCloseTo(expected[i], 7));
});

test('reaches 0 where nothing was seen and 1 where everything was', () => {
  expect(jeffreysInterval(0, 2)[0]).toBe(0);
  expect(jeffreysInterval(2, 2)[1]).toBe(1);
  expect(jeffreysInterval(0, 2)[1]).toBeLessThan(1);
});
