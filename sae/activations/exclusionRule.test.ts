import { expect, test } from 'vitest';
import { parseExclusionRule, printExclusionRule, strictest } from './exclusionRule.ts';

test.each(['none', 'special', 'position:2', 'norm:10', 'special,position:3,norm:7.5'])(
  '%s is read and written the same',
  (text) => expect(printExclusionRule(parseExclusionRule(text))).toBe(text),
);

test.each([
  '',
  'bos',
  'position',
  'position:0',
  'position:1.5',
  'norm:',
  'norm:1',
  'norm:x',
  'none,special',
  'special:1',
])("'%s' is no rule, and the message says how one is written", (text) =>
  expect(() => parseExclusionRule(text)).toThrow(
    expect.objectContaining({ code: 'bad_input', message: expect.stringContaining("'special,norm:10'") }),
  ),
);

test('the strictest of two rules leaves out what either does', () => {
  const a = parseExclusionRule('position:4,norm:20');
  const b = parseExclusionRule('special,norm:10');
  expect(printExclusionRule(strictest(a, b))).toBe('special,position:4,norm:10');
  expect(printExclusionRule(strictest(a, parseExclusionRule('none')))).toBe('position:4,norm:20');
});
