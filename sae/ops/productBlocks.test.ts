import { beforeAll, expect, test } from 'vitest';
import { Random } from '../numerics/random.ts';
import { tf } from '../tensor/tf.ts';
import { forEachProductBlock } from './productBlocks.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

test('blocks of any size put together the same product, and leave no tensor behind', () => {
  const a = { rows: 37, d: 8, data: Random.fromSeed(13).normals(37 * 8) };
  const b = { rows: 23, d: 8, data: Random.fromSeed(14).normals(23 * 8) };
  const before = tf.memory().numTensors;
  const put = (size: { rows: number; columns: number }) => {
    const whole = new Float32Array(37 * 23);
    forEachProductBlock(
      a,
      b,
      ({ firstRow, rows, firstColumn, columns, values }) => {
        for (let i = 0; i < rows; i++)
          for (let j = 0; j < columns; j++)
            whole[(firstRow + i) * 23 + firstColumn + j] = values[i * columns + j];
      },
      size,
    );
    return whole;
  };
  const whole = put({ rows: 100, columns: 100 });
  expect([...put({ rows: 10, columns: 7 })]).toEqual([...whole]);
  expect(tf.memory().numTensors).toBe(before);
  expect(whole[24]).toBeCloseTo(
    a.data.slice(8, 16).reduce((sum, x, k) => sum + x * b.data[8 + k], 0),
    5,
  );
});

test('vectors of different lengths are refused', () => {
  const of = (d: number) => ({ rows: 2, d, data: new Float32Array(2 * d) });
  expect(() => forEachProductBlock(of(3), of(4), () => {})).toThrow(/width 3 and 4/);
});
