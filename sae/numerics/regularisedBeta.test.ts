import { expect, test } from 'vitest';
import { logGamma, regularisedBeta } from './regularisedBeta.ts';

// x, a, b and scipy.special.betainc(a, b, x) of SciPy 1.17.1.
test.each([
  [0.3, 0.5, 0.5, 0.36901011956554536],
  [0.91, 63.5, 0.5, 0.0005521450846811807],
  [0.51, 63.5, 0.5, 2.6999408906595224e-20],
  [0.19, 383.5, 0.5, 8.072943390389077e-279],
  [0.9999, 383.5, 0.5, 0.7818842935763938],
  [0.1, 2, 3, 0.05230000000000001],
  [0.75, 20, 7.5, 0.5810554494812366],
  [0.0001, 0.5, 63.5, 0.08955358307542517],
  [0.97, 2047.5, 0.5, 5.874752013019389e-29],
])('I_%f(%f, %f) is that of SciPy', (x, a, b, expected) => {
  expect(Math.abs(regularisedBeta(x, a, b) / expected - 1)).toBeLessThan(1e-11);
});

// scipy.special.gammaln
test.each([
  [0.1, 2.252712651734206],
  [0.5, 0.5723649429247],
  [1.5, -0.12078223763524526],
  [7.25, 7.0521854507385395],
  [12, 17.502307845873887],
  [383.5, 1896.0162305991828],
  [100000, 1051287.7089736569],
])('ln Γ(%f) is that of SciPy', (x, expected) => {
  expect(Math.abs(logGamma(x) / expected - 1)).toBeLessThan(1e-13);
});

test('the ends are exact, and near the upper one the complement carries the digits', () => {
  expect([regularisedBeta(0, 2, 3), regularisedBeta(1, 2, 3)]).toEqual([0, 1]);
  // Beta(a, 1) has distribution function x^a, and 1 − x^a = −expm1(a·ln(1 − ε)).
  const tiny = 1e-12;
  expect(1 - regularisedBeta(1 - tiny, 3, 1, tiny)).toBeCloseTo(3e-12, 16);
});

test('what has no distribution function is refused', () => {
  expect(() => regularisedBeta(0.5, 0, 1)).toThrow(/Beta\(0, 1\)/);
  expect(() => regularisedBeta(1.5, 1, 1)).toThrow(/at 1.5/);
  expect(() => regularisedBeta(NaN, 1, 1)).toThrow(/at NaN/);
});
