import { expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { fitLaw, lawAt, type FittedLaw } from './fitLaw.ts';

const tokens = Array.from({ length: 16 }, (_, i) => Math.round(2048 * 1.6 ** i));
const largest = tokens[tokens.length - 1];
const follow = (law: FittedLaw) => tokens.map((d) => lawAt(law, d / largest));

test.each([
  { form: 'logspace-power', alpha: 0.4, c: 2.1, b: -0.7, limit: 0.03, r2: 1 },
  { form: 'logspace-power', alpha: 1.1, c: 3, b: -1.5, limit: 0.01, r2: 1 },
  { form: 'power', alpha: 0.3, c: 0.05, b: 0, limit: 0.4, r2: 1 },
] as const)('a $form law with α = $alpha is found again', (law) => {
  const found = fitLaw(law.form, tokens, follow(law));
  expect(found.r2).toBeGreaterThan(0.99999);
  expect(found.alpha).toBeCloseTo(law.alpha, 1);
  expect(found.limit).toBeCloseTo(law.limit, 2);
  expect(found.c).toBeCloseTo(law.c, law.c > 1 ? 0 : 2);
});

test('with noise it still tells falling from rising, and says how well it fits', () => {
  const law = { form: 'logspace-power', alpha: 0.5, c: 2, b: -0.7, limit: 0.05, r2: 1 } as const;
  const random = Random.fromSeed(1);
  const noisy = follow(law).map((a) => a + 0.005 * random.normal());
  const found = fitLaw('logspace-power', tokens, noisy);
  expect(found.r2).toBeGreaterThan(0.98);
  expect(found.r2).toBeLessThan(1);
  expect(lawAt(found, 1)).toBeLessThan(lawAt(found, 0.01));
});

test('too few observations, or one before the first token, are refused', () => {
  expect(() => fitLaw('power', [1, 2, 3, 4], [1, 1, 1, 1])).toThrow(/5 observations or more/);
  expect(() => fitLaw('power', [0, 1, 2, 3, 4], [1, 1, 1, 1, 1])).toThrow(/after the first token/);
});
