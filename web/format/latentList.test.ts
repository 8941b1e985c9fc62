import { expect, test } from 'vitest';
import { mostLatentsInAddress, readLatents, writeLatents } from './latentList.ts';

test('latents come back sorted and once, from a text that is short', () => {
  expect(writeLatents([5, 0, 5, 41])).toBe('1.5.10');
  expect(readLatents('1.5.10')).toEqual([0, 5, 41]);
  const many = Array.from({ length: mostLatentsInAddress }, (_, i) => 17 * i + 3);
  expect(readLatents(writeLatents(many))).toEqual(many);
  // Well below the 64 KB that an address may have.
  expect(writeLatents(many).length).toBeLessThan(5000);
});

test('anything else is no list', () => {
  for (const text of ['', '1,2', '-1', '1..2', 'zzzzzz.zzzzzz', 'A'])
    expect(readLatents(text)).toBeUndefined();
  expect(readLatents(Array.from({ length: mostLatentsInAddress + 1 }, () => '1').join('.'))).toBeUndefined();
});
