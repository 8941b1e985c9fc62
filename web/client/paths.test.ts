import { expect, test } from 'vitest';
import { paths } from './paths.ts';

test('names with signs survive', () => {
  expect(paths.feature('a b/c', 0, 7)).toBe('/runs/a%20b%2Fc/0/7');
});
