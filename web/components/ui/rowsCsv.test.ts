import { expect, test } from 'vitest';
import { rowsCsv } from './rowsCsv.ts';

test('fields, fields within fields, tokens and lists, and fields that only some rows have', () => {
  const text = rowsCsv([
    { name: 'a, b', seed: 0, l0: 1 / 3, evaluation: null, promoted: [{ id: 5, text: ' whale' }] },
    { name: 'c', seed: 1, l0: null, evaluation: { fvu: 0.25, counts: [1, 2] }, promoted: [], dead: true },
  ]);
  expect(text.split('\r\n')).toEqual([
    'name,seed,l0,evaluation,promoted,evaluation.fvu,evaluation.counts,dead',
    `"a, b",0,${1 / 3},,whale,,,`,
    'c,1,,,,0.25,1 2,true',
    '',
  ]);
});
