import { expect, test } from 'vitest';
import { leftOutText } from './leftOutText.ts';

test('damaged and newer items are counted apart, over the lists given', () => {
  const none = { damaged: 0, newer: 0 };
  expect(leftOutText([none, none])).toBe('');
  expect(leftOutText([{ damaged: 1, newer: 0 }])).toBe('1 damaged item left out');
  expect(
    leftOutText([
      { damaged: 1, newer: 1 },
      { damaged: 1, newer: 1 },
    ]),
  ).toBe('2 damaged items and 2 items of a newer Lazyscope left out');
});
