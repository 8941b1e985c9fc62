import { expect, test } from 'vitest';
import { Random } from './random.ts';
import { stableOrder } from './stableOrder.ts';

const random = Random.fromSeed(2, 'order');
const values = Array.from({ length: 3000 }, (_, i) =>
  i % 11 === 0 ? NaN : i % 7 === 0 ? random.below(5) - 2 : i % 5 === 0 ? -0 : random.normal(),
);
const items = random.permutation(3000).slice(0, 2000);

test.each([
  ['asc', 1],
  ['desc', -1],
] as const)('%s is what a stable sort with a function that compares gives', (order, sign) => {
  const compared = Array.from(items).sort((a, b) => {
    const [x, y] = [values[a], values[b]];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    return sign * (x - y);
  });
  expect(Array.from(stableOrder(items, values, order))).toEqual(compared);
});

test('of nothing, of nothing but NaN, and of infinities', () => {
  expect(stableOrder([], [])).toEqual(new Int32Array(0));
  expect(stableOrder([2, 0, 1], [NaN, NaN, NaN], 'desc')).toEqual(Int32Array.of(2, 0, 1));
  expect(stableOrder([0, 1, 2, 3], [Infinity, NaN, -Infinity, 1], 'desc')).toEqual(Int32Array.of(0, 3, 2, 1));
});
