import { expect, test } from 'vitest';
import { compact, count, figures, fixed, percent, signed, significant } from './number.ts';

test.each([
  [count(12_288), '12,288'],
  [count(null), '–'],
  [compact(1_234), '1.23k'],
  [compact(51_200), '51.2k'],
  [compact(3e6), '3M'],
  [compact(100), '100'],
  [percent(0.314), '31.4 %'],
  [percent(0.00031), '0.031 %'],
  [percent(0), '0.0 %'],
  [percent(1, 0), '100 %'],
  [percent(Number.NaN), '–'],
  [fixed(0.1839), '0.184'],
  [fixed(-0.5, 2), '−0.50'],
  [significant(32.04), '32'],
  [significant(0.01234), '0.0123'],
  [significant(0.00000314), '3.14e−6'],
  [significant(1e-8, 4), '1e−8'],
  [significant(0), '0'],
  [significant(1200), '1200'],
  [figures(13), '13.0'],
  [figures(9.4), '9.40'],
  [figures(0), '0'],
  [signed(0.421), '+0.42'],
  [signed(-1.3, 1), '−1.3'],
])('%s', (given, wanted) => expect(given).toBe(wanted));
