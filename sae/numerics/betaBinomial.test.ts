import { expect, test } from 'vitest';
import { everySuccess, fitBetaBinomial } from './betaBinomial.ts';

/** Exact frequencies of k of m by the recurrence of the beta–binomial law. */
function frequencies(a: number, b: number, m: number): number[] {
  const rising = (x: number, n: number) =>
    Array.from({ length: n }, (_, j) => x + j).reduce((p, v) => p * v, 1);
  const choose = (n: number, k: number) => rising(n - k + 1, k) / rising(1, k);
  return Array.from(
    { length: m + 1 },
    (_, k) => (choose(m, k) * rising(a, k) * rising(b, m - k)) / rising(a + b, m),
  );
}

test.each([
  [0.3, 0.9, 4],
  [2, 5, 2],
  [0.05, 0.4, 9],
])('the shape (%f, %f) is found again from what it makes of %i trials', (a, b, m) => {
  const shape = fitBetaBinomial(frequencies(a, b, m).map((share) => 1e5 * share));
  expect(shape!.a).toBeCloseTo(a, 3);
  expect(shape!.b).toBeCloseTo(b, 3);
});

test('as many successes as trials are as likely as the law says, within the trials seen and beyond', () => {
  for (const n of [1, 3, 8])
    expect(everySuccess({ a: 0.3, b: 0.9 }, n)).toBeCloseTo(frequencies(0.3, 0.9, n)[n], 12);
});

test('one trial, or individuals that are all alike at an end, have no fit', () => {
  expect(fitBetaBinomial([60, 40])).toBeNull();
  expect(fitBetaBinomial([100, 0, 0])).toBeNull();
  expect(fitBetaBinomial([0, 0, 100])).toBeNull();
});
