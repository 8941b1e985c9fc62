import { expect, test } from 'vitest';
import { isOfPart, parsePart, printPart } from './part.ts';

test('a part is written n/N, from 1 to N', () => {
  expect(parsePart('2/5')).toEqual({ number: 2, of: 5 });
  expect(printPart({ number: 2, of: 5 })).toBe('2/5');
  for (const text of ['0/2', '3/2', '1/0', '1', '1/2/3', '-1/2', '1.5/2', ' 1/2', '1/1001', '1/2 '])
    expect(parsePart(text)).toBe(undefined);
});

test('every block belongs to one part, and no part has two more than another', () => {
  for (const of of [1, 2, 3, 7]) {
    const blocks = Array.from({ length: 20 }, (_, at) => at);
    const parts = Array.from({ length: of }, (_, at) =>
      blocks.filter((block) => isOfPart(block, { number: at + 1, of })),
    );
    expect(parts.flat().sort((a, b) => a - b)).toEqual(blocks);
    const sizes = parts.map(({ length }) => length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThan(2);
  }
});
