import { beforeAll, expect, test } from 'vitest';
import { tf, type Tensor } from './tf.ts';

beforeAll(() => tf.setBackend('cpu'));

test('the numbers of a typed array that a tidy returns are not looked at one by one', () => {
  let visits = 0;
  const watched = () =>
    Object.defineProperty(Float32Array.of(1, 2, 3), 'visited', { enumerable: true, get: () => ++visits });
  const alone = watched();
  expect(tf.tidy(() => alone as unknown as Tensor)).toBe(alone);
  const within = { some: [watched()], other: watched() };
  expect(tf.tidy(() => within as unknown as Tensor)).toBe(within);
  expect(visits).toBe(0);
});

test('tensors of a result are kept wherever they are, and no others', () => {
  const before = tf.memory().numTensors;
  const found = tf.tidy(() => {
    tf.scalar(7).square();
    const shared = tf.scalar(5);
    return { a: tf.scalar(1), list: [shared, { deep: tf.scalar(3) }, shared], count: 2, numbers: [1, 2] };
  });
  expect(tf.memory().numTensors).toBe(before + 3);
  expect([found.a, found.list[0] as Tensor].map((tensor) => tensor.dataSync()[0])).toEqual([1, 5]);
  tf.dispose(found);
  expect(tf.memory().numTensors).toBe(before);
});

test('a tidy in a tidy hands its result to the outer one, which disposes of it', () => {
  const before = tf.memory().numTensors;
  const value = tf.tidy(() => {
    const inner = tf.tidy(() => [tf.scalar(2), tf.scalar(3)]);
    return inner[0].add(inner[1]).dataSync()[0];
  });
  expect(value).toBe(5);
  expect(tf.memory().numTensors).toBe(before);
});
