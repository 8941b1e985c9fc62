import { expect, test } from 'vitest';
import { wholeNumber } from './wholeNumber.ts';

test.each([
  ['7', 7],
  ['007', 7],
  ['-1', undefined],
  ['1.5', undefined],
  ['9e9', undefined],
  [undefined, undefined],
])('the number in an address: %s', (text, number) => expect(wholeNumber(text)).toBe(number));
