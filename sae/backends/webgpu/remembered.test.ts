import { expect, test } from 'vitest';
import { remembered } from './remembered.ts';

test('equal plain data gives the same object, different data never does', () => {
  let made = 0;
  const make = remembered((...given: unknown[]) => ({ given, number: made++ }));
  const different = [
    [],
    [undefined],
    [null],
    ['null'],
    [0],
    [-0],
    ['0'],
    [Number.NaN],
    [Infinity],
    [true],
    [[1, 2]],
    [1, 2],
    [[1], 2],
    [Int32Array.of(1, 2)],
    [Float32Array.of(1, 2)],
    [{ a: 1 }],
    [{ a: '1' }],
    [{ a: 1, b: undefined }],
    [{ 'a:1,b': 1 }],
    [{ a: { b: 1 }, c: 2 }],
    [{ a: { b: 1, c: 2 } }],
    [1.5],
  ];
  const first = different.map((given) => make(...given));
  expect(new Set(first).size).toBe(different.length);
  expect(structuredClone(different).map((given) => make(...given))).toEqual(first);
  expect(made).toBe(different.length);
});

test('what such a function has made is told apart by which object it is', () => {
  const part = remembered((name: string) => ({ name }));
  let made = 0;
  const whole = remembered((from: object) => ({ from, number: made++ }));
  expect(whole(part('a'))).toBe(whole(part('a')));
  expect(whole(part('b'))).not.toBe(whole(part('a')));
  expect(whole({ name: 'a' })).not.toBe(whole(part('a')));
  expect(made).toBe(3);
});

test('sizes that do not come back are forgotten; what is not plain data is refused', () => {
  const make = remembered((n: number) => ({ n }));
  const first = make(0);
  for (let n = 1; n <= 256; n++) make(n);
  expect(make(0)).not.toBe(first);
  expect(make(0)).toEqual(first);
  expect(() => remembered((f: () => void) => ({ f }))(() => {})).toThrow(
    /plain data, but was given a function/,
  );
});
