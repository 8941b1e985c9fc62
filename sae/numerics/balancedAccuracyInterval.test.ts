import { expect, test } from 'vitest';
import { balancedAccuracyInterval } from './balancedAccuracyInterval.ts';

// numpy: quantiles of (beta(h + ½, p − h + ½) + beta(r + ½, n − r + ½)) / 2 over 10 million draws.
const goldens = [
  [18, 22, 41, 50, 0.7043, 0.8936],
  [20, 20, 50, 50, 0.9349, 0.9996],
  [3, 11, 48, 50, 0.5121, 0.7606],
  [0, 7, 0, 9, 0.0015, 0.1933],
] as const;

test.each(goldens)(
  'of %i of %i and %i of %i right it is what draws from the two posteriors give',
  (hits, positives, rejections, negatives, low, high) => {
    const found = balancedAccuracyInterval([hits, positives], [rejections, negatives]);
    expect(found[0]).toBeCloseTo(low, 3);
    expect(found[1]).toBeCloseTo(high, 3);
  },
);

test('it has a width where everything was judged rightly, and contains chance where half was', () => {
  const [low, high] = balancedAccuracyInterval([20, 20], [50, 50]);
  expect(low).toBeLessThan(0.96);
  expect(high).toBeLessThan(1);
  const half = balancedAccuracyInterval([10, 20], [25, 50]);
  expect(half[0]).toBeLessThan(0.5);
  expect(half[1]).toBeGreaterThan(0.5);
});
