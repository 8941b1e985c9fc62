/**
 * The native kernel against the reference. Small integers in vectors of 4^n entries give products that are exact in any
 * order, with ties everywhere: there the lists must be equal place by place.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { RowVectors } from '../../ops/productBlocks.ts';
import { topPairs, topPairsReference, type TopPairsRequest } from '../../ops/topPairs.ts';
import { Random } from '../../tensor/random.ts';
import { tf } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';

beforeAll(async () => {
  await startBackend('native', { threads: 2 });
});

const shapes = [
  [1, 1, 4],
  [3, 50, 16],
  [70, 5, 16],
  [129, 257, 64],
  [700, 900, 16],
] as const;

function vectors(seed: number, rows: number, d: number, draw: (random: Random) => number): RowVectors {
  const random = Random.fromSeed(seed);
  return { rows, d, data: Float32Array.from({ length: rows * d }, () => draw(random)) };
}
const integer = (random: Random) => (random.below(5) - 2) / 4;

function compared(request: TopPairsRequest) {
  const found = topPairs(request);
  const expected = topPairsReference(request);
  return { found, expected };
}

describe.each(shapes)('%d rows, %d columns, d = %d', (rows, columns, d) => {
  const a = vectors(1, rows, d, integer);
  const b = vectors(2, columns, d, integer);
  const perRow = Math.min(4, columns);
  const perColumn = Math.min(3, rows);

  test('exact products with ties: the same lists, place by place', () => {
    const { found, expected } = compared({ a, b, perRow, perColumn });
    expect(found).toEqual(expected);
  });

  test('with offsets', () => {
    const offsets = (seed: number, length: number) =>
      vectors(seed, length, 1, (random) => random.below(8) / 8).data;
    const request = {
      a,
      b,
      perRow,
      perColumn,
      columnOffset: offsets(3, columns),
      rowOffset: offsets(4, rows),
    };
    const { found, expected } = compared(request);
    expect(found).toEqual(expected);
  });
});

test('real vectors: the same scores to rounding, and progress to the end', () => {
  const normal = (random: Random) => random.normal() / 10;
  const [a, b] = [vectors(5, 400, 100, normal), vectors(6, 300, 100, normal)];
  const seen: number[] = [];
  const { found, expected } = compared({
    a,
    b,
    perRow: 8,
    perColumn: 8,
    progress: (rows) => seen.push(rows),
  });
  for (const side of ['byRow', 'byColumn'] as const)
    found[side].score.forEach((score, at) => expect(score).toBeCloseTo(expected[side].score[at], 5));
  found.best.forEach((score, i) => expect(score).toBeCloseTo(expected.best[i], 5));
  expect(seen.filter((rows) => rows === 400)).toHaveLength(2);
});

test('the same lists for any number of threads', async () => {
  const request = {
    a: vectors(7, 500, 32, integer),
    b: vectors(8, 600, 32, integer),
    perRow: 5,
    perColumn: 5,
  };
  const two = topPairs(request);
  await startBackend('native', { threads: 1 });
  expect(topPairs(request)).toEqual(two);
  await startBackend('native', { threads: 2 });
});

test('another backend takes the reference', async () => {
  const request = {
    a: vectors(9, 20, 16, integer),
    b: vectors(10, 30, 16, integer),
    perRow: 2,
    perColumn: 2,
  };
  const native = topPairs(request);
  await tf.setBackend('cpu');
  expect(topPairs(request)).toEqual(native);
  await startBackend('native', { threads: 2 });
});
