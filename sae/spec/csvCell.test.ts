import { expect, test } from 'vitest';
import { csvCell, textOfCell } from './csvCell.ts';

const formulas = ['=HYPERLINK("http://evil.example","x")', '+1+1', '-2+3', '@SUM(A1)', '\t=1', "'=1", "''-x"];

test.each(formulas)(
  'a text that spreadsheets would take for a formula is no formula in a cell: %j',
  (text) => {
    const cell = csvCell(text);
    const shown = cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell;
    expect(shown).toMatch(/^'/);
    expect(textOfCell(shown)).toBe(text);
  },
);

test('numbers below 0, lists of them and other texts stay as they are', () => {
  expect([-1.5, [-1, 2], 'it’s', "'the", 'a=b', '', null, NaN, true].map(csvCell)).toEqual([
    '-1.5', '-1 2', 'it’s', "'the", 'a=b', '', '', '', 'true',
  ]); // prettier-ignore
  for (const text of ['it’s', "'the", 'a=b', '']) expect(textOfCell(text)).toBe(text);
});

test('commas, quotes and line ends are quoted', () => {
  expect(csvCell('a,"b"\n')).toBe('"a,""b""\n"');
  expect(csvCell(['=a', 'b'])).toBe("'=a b");
});
