import { expect, test } from 'vitest';
import { table } from './table.ts';

test('a table has its head above its rows, numbers to the right', () => {
  expect(table(['run', 'L0'], [['a', 4], ['long', 32]])).toBe('run   L0\na      4\nlong  32'); // prettier-ignore
});

test('where every job of a queue has failed, no head of a table is left alone', () => {
  expect(table(['run', 'L0'], [])).toBe('');
});
