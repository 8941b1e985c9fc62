import { describe, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import type { EntryList } from '../../ops/candidates.ts';
import { nativeLibrary } from '../../backends/native/library.ts';
import { ownOfLargestBy } from '../../backends/native/ownOfLargest.ts';
import { likelyReach } from '../../ops/likelyReach.ts';
import { barOfBatch, ownAboveBar, ownOfLargest, tiesOfRows } from './ownOfLargest.ts';

/** Positive values on a coarse grid, so that many are equal; some rows have none at all. */
function matrixOf(random: Random, rows: number, latents: number): number[][] {
  return Array.from({ length: rows }, (_, b) =>
    Array.from({ length: latents }, () => (b % 5 === 4 ? 0 : Math.max(0, random.below(9) - 4) / 4)),
  );
}

/** The columns begin ≤ i < end of those of a matrix that `kept` names, as a list. */
function listOf(
  matrix: number[][],
  begin: number,
  end: number,
  kept: (b: number, i: number) => boolean,
): EntryList {
  const [rowStart, indices, values]: [number[], number[], number[]] = [[0], [], []];
  matrix.forEach((row, b) => {
    for (let i = begin; i < end; i++)
      if (kept(b, i)) {
        indices.push(i - begin);
        values.push(row[i]);
      }
    rowStart.push(indices.length);
  });
  return {
    rowStart: Int32Array.from(rowStart),
    indices: Int32Array.from(indices),
    values: Float32Array.from(values),
  };
}

interface Place {
  b: number;
  i: number;
  value: number;
}
const byRank = (x: Place, y: Place) => y.value - x.value || x.b - y.b || x.i - y.i;

describe('the largest of what several processes have', () => {
  const random = Random.fromSeed(7, 'largest');
  const [rows, latents, k] = [40, 23, 4];
  const bounds = [0, 9, 11, 23];
  const matrix = matrixOf(random, rows, latents);

  test.each([1, 2, 3, 4])(
    'of each row, %i candidates a process: k of them, of equal ones those of lower latents, or none where more might be',
    (each) => {
      const wanted = matrix.map((row, b) =>
      new Set(row.map((value, i) => ({ b, i, value })).filter(({ value }) => value > 0).sort(byRank).slice(0, k).map(({ i }) => i)),
    ); // prettier-ignore
      const candidates = [0, 1, 2].map((rank) => {
        const [begin, end] = [bounds[rank], bounds[rank + 1]];
        return matrix.map((row, b) => new Set(row.map((value, i) => ({ b, i, value })).slice(begin, end).sort(byRank).slice(0, each).map(({ i }) => i))); // prettier-ignore
      });
      const lists = candidates.map((of, rank) =>
        listOf(matrix, bounds[rank], bounds[rank + 1], (b, i) => of[b].has(i)),
      );
      const all = new Float32Array(3 * rows * each);
      lists.forEach(({ rowStart, values }, rank) => {
        for (let b = 0; b < rows; b++)
          all.set(values.subarray(rowStart[b], rowStart[b + 1]), (rank * rows + b) * each);
      });
      lists.forEach((own, rank) => {
        const expected = listOf(matrix, bounds[rank], bounds[rank + 1], (b, i) => wanted[b].has(i));
        expect(ownOfLargest(own, { all, rank, k, each })).toEqual(each < k ? undefined : expected);
      });
    },
  );

  test('of rows whose largest are spread evenly, fewer candidates than k do', () => {
    const [wide, many, each] = [600, 96, likelyReach(96, 3)];
    expect(each).toBe(60);
    const random = Random.fromSeed(8, 'even');
    const even = Array.from({ length: 30 }, () => Array.from({ length: wide }, () => random.uniform()));
    const largest = (row: number[], count: number) => new Set(row.map((value, i) => ({ b: 0, i, value })).sort(byRank).slice(0, count).map(({ i }) => i)); // prettier-ignore
    const lists = [0, 200, 400].map((begin) => {
      const of = even.map((row) =>
        largest(
          row.map((value, i) => (i >= begin && i < begin + 200 ? value : -1)),
          each,
        ),
      );
      return listOf(even, begin, begin + 200, (b, i) => of[b].has(i));
    });
    const all = Float32Array.from(lists.flatMap(({ values }) => [...values]));
    const wanted = even.map((row) => largest(row, many));
    lists.forEach((own, rank) =>
      expect(ownOfLargest(own, { all, rank, k: many, each })).toEqual(
        listOf(even, 200 * rank, 200 * rank + 200, (b, i) => wanted[b].has(i)),
      ),
    );
  });

  test.each([1, 17, 60, 100_000])('of a batch: %i of them, of equal ones those of lower rows', (count) => {
    const places = matrix.flatMap((row, b) => row.map((value, i) => ({ b, i, value }))).filter(({ value }) => value > 0); // prettier-ignore
    const wanted = new Set(places.sort(byRank).slice(0, count).map(({ b, i }) => b * latents + i)); // prettier-ignore
    const bar = barOfBatch(Float32Array.from(places, ({ value }) => value), count); // prettier-ignore
    const lists = [0, 1, 2].map((rank) =>
      listOf(matrix, bounds[rank], bounds[rank + 1], (b, i) => matrix[b][i] > 0),
    );
    const ties = new Int32Array(3 * rows);
    lists.forEach((own, rank) => ties.set(tiesOfRows(own, bar.bar), rank * rows));
    lists.forEach((own, rank) => {
      const expected = listOf(matrix, bounds[rank], bounds[rank + 1], (b, i) => wanted.has(b * latents + i));
      expect(ownAboveBar(own, bar, ties, rank)).toEqual(expected);
    });
  });

  test('what is not a number counts as the largest', () => {
    const own = {
      rowStart: Int32Array.of(0, 2),
      indices: Int32Array.of(3, 5),
      values: Float32Array.of(2, NaN),
    };
    const kept = ownOfLargest(own, { all: Float32Array.of(9, 8, 2, NaN), rank: 1, k: 2, each: 2 });
    expect([...kept!.indices]).toEqual([5]);
    expect([...kept!.values]).toEqual([NaN]);
  });

  test.each([
    [3, 288, 195],
    [2, 32, 32],
    [4, 17, 11],
    [1, 5, 5],
    [5, 40, 9],
  ])(
    'the kernel of native chooses the same: %i processes, k = %i, %i candidates of each',
    async (ranks, k, each) => {
      const { functions } = await nativeLibrary();
      const fast = ownOfLargestBy({ functions });
      const random = Random.fromSeed(9, `${ranks} ${k} ${each}`);
      const special = [NaN, Infinity, 1e-45, 0, 3, 3];
      for (const kind of ['all different', 'many equal', 'few positive', 'some special'] as const)
        for (const threads of [1, 2]) {
          functions.setThreads(threads);
          const rows = 130;
          const all = Float32Array.from({ length: ranks * rows * each }, () => {
            if (kind === 'many equal') return random.below(5) / 4;
            if (kind === 'few positive') return random.below(40) === 0 ? random.uniform() : 0;
            if (kind === 'some special' && random.below(4) === 0)
              return special[random.below(special.length)];
            return random.uniform();
          });
          for (let rank = 0; rank < ranks; rank++) {
            // Lists of other lengths than `each` are filled up with 0.
            const [rowStart, indices, values]: [number[], number[], number[]] = [[0], [], []];
            for (let b = 0; b < rows; b++) {
              const from = (rank * rows + b) * each;
              const count = b % 7 === 3 ? random.below(each + 1) : each;
              all.fill(0, from + count, from + each);
              for (let i = 0; i < count; i++) indices.push(2 * i);
              values.push(...all.subarray(from, from + count));
              rowStart.push(indices.length);
            }
            const own = {
              rowStart: Int32Array.from(rowStart),
              indices: Int32Array.from(indices),
              values: Float32Array.from(values),
            };
            const candidates = { all, rank, k, each };
            expect(fast(own, candidates), `${kind}, process ${rank}`).toEqual(ownOfLargest(own, candidates));
          }
        }
      functions.setThreads(1);
    },
  );
});
