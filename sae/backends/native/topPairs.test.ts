/**
 * The native kernel against the reference. Small integers in vectors of 4^n entries give products that are exact in any
 * order, with ties everywhere: there the lists must be equal place by place.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { RowVectors } from '../../ops/productBlocks.ts';
import { finish } from '../../steps.ts';
import { topPairs, topPairsReference, type TopPairsRequest } from '../../ops/topPairs.ts';
import { Random } from '../../numerics/random.ts';
import { tf } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { nativeLibrary } from './library.ts';
import { nativeTopPairs } from './topPairs.ts';

const library = await nativeLibrary();
const canScreen = library.functions.canScreen() === 1;
const plainSteps = nativeTopPairs(library, { screening: 'never' });
const plain = (request: TopPairsRequest) => finish(plainSteps(request));
const screenedSteps = nativeTopPairs(library, { screening: 'always' });
const screened = (request: TopPairsRequest) => finish(screenedSteps(request));

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

describe.skipIf(!canScreen)('screened by a product of 16-bit integers', () => {
  test.each(shapes)(
    '%d rows, %d columns, d = %d: exact products with ties, place by place',
    (rows, columns, d) => {
      const request = {
        a: vectors(1, rows, d, integer),
        b: vectors(2, columns, d, integer),
        perRow: Math.min(4, columns),
        perColumn: Math.min(3, rows),
        columnOffset: vectors(3, columns, 1, (random) => random.below(8) / 8).data,
        rowOffset: vectors(4, rows, 1, (random) => random.below(8) / 8).data,
      };
      expect(screened(request)).toEqual(topPairsReference(request));
    },
  );

  /** What is kept may change places where scores are equal but for the order of summation. */
  function expectSameScores(request: TopPairsRequest): void {
    const [found, expected] = [screened(request), plain(request)];
    for (const side of ['byRow', 'byColumn'] as const) {
      found[side].score.forEach((score, at) =>
        expect(Math.abs(score - expected[side].score[at])).toBeLessThan(3e-6),
      );
      found[side].bar.forEach((bar, at) => expect(Math.abs(bar - expected[side].bar[at])).toBeLessThan(3e-6));
    }
    found.best.forEach((best, i) => expect(Math.abs(best - expected.best[i])).toBeLessThan(3e-6));
  }

  test('random directions, some of them zero', () => {
    const unit = (seed: number, rows: number) => {
      const v = vectors(seed, rows, 300, (random) => random.normal() / Math.sqrt(300));
      for (let i = 0; i < rows; i += 37) v.data.fill(0, i * 300, (i + 1) * 300);
      return v;
    };
    expectSameScores({ a: unit(11, 500), b: unit(12, 700), perRow: 8, perColumn: 5 });
  });

  test('a collapsed dictionary, whose cosines differ by less than the bound', () => {
    const alike = (seed: number, rows: number) =>
      vectors(seed, rows, 256, (random) => (1 + random.normal() / 200) / 16);
    expectSameScores({ a: alike(13, 300), b: alike(14, 400), perRow: 6, perColumn: 6 });
  });

  test('what is not a number is chosen by neither', () => {
    const a = vectors(15, 80, 64, (random) => random.normal() / 8);
    const b = vectors(16, 90, 64, (random) => random.normal() / 8);
    b.data[5 * 64] = NaN;
    const found = screened({ a, b, perRow: 4, perColumn: 4 });
    expect(found.byRow.index.includes(5)).toBe(false);
    expect(found.byRow.index.every((j) => j >= 0)).toBe(true);
  });

  test('where it pays, it is given up for a dictionary it can not narrow down', () => {
    // More columns than screening begins with, all of them the same: every pair ties.
    const same = (rows: number): RowVectors => ({
      rows,
      d: 192,
      data: new Float32Array(rows * 192).fill(1 / 8),
    });
    const request = { a: same(1100), b: same(4200), perRow: 2, perColumn: 2 };
    const found = finish(nativeTopPairs(library, { screening: 'whereItPays' })(request));
    const expected = plain(request);
    expect(found.byRow.index).toEqual(expected.byRow.index);
    expect(found.byColumn.index).toEqual(expected.byColumn.index);
  });
});
