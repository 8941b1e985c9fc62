import { expect, test } from 'vitest';
import { paths } from './paths.ts';

test('names with signs survive', () => {
  expect(paths.feature('a b/c', 0, 7)).toBe('/runs/a%20b%2Fc/0/7');
});

test('a question to the playground is in its address', () => {
  expect(paths.playground()).toBe('/playground');
  expect(paths.playground({ on: 'a/0', text: 'the sea, & more', latent: '' })).toBe(
    '/playground?on=a%2F0&text=the+sea%2C+%26+more',
  );
});
