import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../numerics/random.ts';
import { tf } from '../tensor/tf.ts';
import { assign } from './assignment.ts';
import { auction } from './auction.ts';
import { findCandidates, merge } from './candidates.ts';
import { cosineMatrix, unitRows, type Directions } from './directions.ts';
import { dualCheck } from './dualCheck.ts';
import { assignDirections } from './sparseAssignment.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function directions(seed: number, rows: number, d: number): Directions {
  return unitRows({ rows, d, data: Random.fromSeed(seed, 'directions').normals(rows * d) }, 'test');
}

/** Two sets of directions, of which b has noisy copies of some rows of a, in another order. */
function related(seed: number, rows: number, d: number): [Directions, Directions] {
  const a = directions(seed, rows, d);
  const b = directions(seed + 1000, rows, d);
  const random = Random.fromSeed(seed, 'related');
  const p = random.permutation(rows);
  p.forEach((to, i) => {
    const noise = [0.05, 0.2, 3][i % 3];
    for (let k = 0; k < d; k++) b.data[to * d + k] = a.data[i * d + k] + noise * random.normal() * d ** -0.5;
  });
  return [a, unitRows(b, 'test')];
}

/** A quarter of a's rows, and a fifth of b's, are one and the same direction. */
function duplicated(seed: number, rows: number, d: number): [Directions, Directions] {
  const [a, b] = [directions(seed, rows, d), directions(seed + 1000, rows, d)];
  const one = a.data.slice(0, d);
  for (let i = 0; i < rows; i += 4) a.data.set(one, i * d);
  for (let j = 0; j < rows; j += 5) b.data.set(one, j * d);
  return [a, b];
}

function dense(a: Directions, b: Directions) {
  return assign({ rows: a.rows, columns: b.rows, data: cosineMatrix(a, b) });
}

describe('candidates', () => {
  const [a, b] = [directions(1, 90, 8), directions(2, 70, 8)];
  const cosines = cosineMatrix(a, b);
  const {
    candidates: found,
    rowLimit,
    columnLimit,
  } = findCandidates(a, b, { perRow: 5, perColumn: 3, block: { rows: 32, columns: 20 } });
  const has = (i: number, j: number) => found.column.subarray(found.start[i], found.start[i + 1]).includes(j);

  test('hold the best of each row and of each column, with their cosines, each once', () => {
    for (let i = 0; i < 90; i++) {
      const order = Array.from({ length: 70 }, (_, j) => j).sort(
        (p, q) => cosines[i * 70 + q] - cosines[i * 70 + p],
      );
      for (const j of order.slice(0, 5)) expect(has(i, j)).toBe(true);
    }
    for (let j = 0; j < 70; j++) {
      const order = Array.from({ length: 90 }, (_, i) => i).sort(
        (p, q) => cosines[q * 70 + j] - cosines[p * 70 + j],
      );
      for (const i of order.slice(0, 3)) expect(has(i, j)).toBe(true);
    }
    expect(found.column.length).toBeLessThanOrEqual(90 * 5 + 70 * 3);
    for (let i = 0; i < 90; i++)
      for (let p = found.start[i]; p < found.start[i + 1]; p++) {
        expect(found.weight[p]).toBe(cosines[i * 70 + found.column[p]]);
        if (p > found.start[i]) expect(found.column[p]).toBeGreaterThan(found.column[p - 1]);
      }
  });

  test('what was left out weighs no more than the limits of its row and of its column', () => {
    for (let i = 0; i < 90; i++)
      for (let j = 0; j < 70; j++)
        if (!has(i, j))
          expect(cosines[i * 70 + j]).toBeLessThanOrEqual(Math.min(rowLimit[i], columnLimit[j]));
  });

  test('of identical rows among identical columns are not all the same few columns', () => {
    const one = { rows: 50, d: 2, data: Float32Array.from({ length: 100 }, (_, at) => (at + 1) % 2) };
    const { column } = findCandidates(one, one, { perRow: 3, perColumn: 1 }).candidates;
    expect(new Set(column).size).toBeGreaterThan(40);
  });
});

test('an auction among all pairs is within rows · ε of the exact solver, and leaves no price on a free column', () => {
  for (const [rows, columns] of [
    [60, 60],
    [40, 90],
  ]) {
    // With non-negative weights no row gains by staying unmatched.
    const random = Random.fromSeed(rows);
    const weight = Float32Array.from({ length: rows * columns }, () => random.uniform());
    const row = Int32Array.from(weight, (_, at) => Math.floor(at / columns));
    const all = merge({ rows, columns }, [
      { row, column: Int32Array.from(weight, (_, at) => at % columns), weight },
    ]);
    const { rowToColumn, columnToRow, columnPrices, rowValues } = auction(all, {
      epsilon: 1e-5,
      firstEpsilon: 0.1,
    });
    const exact = assign({ rows, columns, data: weight });
    let reached = 0;
    rowToColumn.forEach((j, i) => {
      reached += weight[i * columns + j];
      expect(rowValues[i]).toBeCloseTo(weight[i * columns + j] - columnPrices[j], 9);
    });
    expect(new Set(rowToColumn).size).toBe(rows);
    expect(exact.weight - reached).toBeLessThan(rows * 1e-5);
    columnToRow.forEach((i, j) => i < 0 && expect(columnPrices[j]).toBe(0));
    weight.forEach((w, at) =>
      expect(w - columnPrices[at % columns] - rowValues[Math.floor(at / columns)]).toBeLessThan(1.01e-5),
    );
  }
});

test('rows that compete for too few columns stay out instead of bidding for ever', () => {
  const pairs = {
    row: Int32Array.of(0, 1, 2),
    column: Int32Array.of(0, 0, 0),
    weight: Float32Array.of(0.9, 0.8, 0.7),
  };
  const { rowToColumn } = auction(merge({ rows: 3, columns: 3 }, [pairs]), {
    epsilon: 1e-4,
    firstEpsilon: 1e-4,
  });
  expect([...rowToColumn]).toEqual([0, -1, -1]);
});

describe('the dual check', () => {
  const [a, b] = related(3, 80, 6);
  const cosines = cosineMatrix(a, b);
  const exact = dense(a, b);
  const block = { rows: 30, columns: 25 };
  const found = findCandidates(a, b, { perRow: 2, perColumn: 1 });

  test('bounds every matching, for any prices, and finds tempting pairs with their cosines', () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = Random.fromSeed(seed);
      const columnPrices = Float64Array.from({ length: 80 }, () => 0.5 * random.uniform());
      const { bound, tempting } = dualCheck(a, b, found, { columnPrices }, { kept: 2, block });
      const whole = new Float64Array(80).fill(-Infinity);
      cosines.forEach((w, at) => {
        const i = Math.floor(at / 80);
        whole[i] = Math.max(whole[i], w - columnPrices[at % 80]);
      });
      const expected = [...whole, ...columnPrices].reduce((sum, value) => sum + value, 0);
      expect(bound).toBeCloseTo(expected, 4);
      expect(bound).toBeGreaterThan(exact.weight);
      for (const { row, column, weight } of tempting)
        row.forEach((i, p) => expect(weight[p]).toBeCloseTo(cosines[i * 80 + column[p]], 6));
    }
  });

  test('at the best prices it is the best weight', () => {
    const { bound } = dualCheck(a, b, found, { columnPrices: exact.columnPrices }, { kept: 2 });
    expect(bound).toBeCloseTo(exact.weight, 3);
  });

  test('looks again only where a limit leaves room: at a copy, nowhere', () => {
    const copy = findCandidates(a, a, { perRow: 2, perColumn: 1 });
    const { share, bound } = dualCheck(a, a, copy, { columnPrices: new Float64Array(80) }, { kept: 2 });
    expect(share).toBe(0);
    expect(bound).toBeCloseTo(80, 4);
  });
});

describe.each([
  [
    'unrelated',
    (seed: number): [Directions, Directions] => [directions(seed, 400, 12), directions(seed + 1, 400, 12)],
  ],
  ['related', (seed: number) => related(seed, 400, 12)],
  ['duplicated', (seed: number) => duplicated(seed, 400, 12)],
  [
    'narrower',
    (seed: number): [Directions, Directions] => [directions(seed, 150, 12), directions(seed + 1, 420, 12)],
  ],
  [
    'wider',
    (seed: number): [Directions, Directions] => [directions(seed, 420, 12), directions(seed + 1, 150, 12)],
  ],
])('%s dictionaries', (_, make) => {
  test.each([1, 2, 3])('the matching is within the proved gap of the exact one (seed %d)', (seed) => {
    const [a, b] = make(seed);
    const exact = dense(a, b);
    const found = assignDirections(a, b, { perRow: 12, perColumn: 8, gap: 1e-3, maxPasses: 6 });
    expect(found.gap).toBeLessThanOrEqual(1e-3);
    expect(found.bound).toBeGreaterThanOrEqual(exact.weight - 1e-3);
    expect(exact.weight - found.weight).toBeLessThanOrEqual(found.gap * Math.abs(found.bound) + 1e-6);
    expect(found.weight).toBeLessThan(exact.weight + 1e-6);
    const matched = [...found.match].filter((j) => j >= 0);
    expect(new Set(matched).size).toBe(Math.min(a.rows, b.rows));
    const cosines = cosineMatrix(a, b);
    found.match.forEach((j, i) => {
      if (j < 0) expect(found.cosine[i]).toBeNaN();
      else expect(found.cosine[i]).toBeCloseTo(cosines[i * b.rows + j], 6);
    });
  });
});

test('a permuted copy is recovered in one pass', () => {
  const a = directions(20, 1000, 32);
  const p = Random.fromSeed(21).permutation(1000);
  const data = new Float32Array(a.data.length);
  p.forEach((to, i) => data.set(a.data.subarray(i * 32, (i + 1) * 32), to * 32));
  const found = assignDirections(a, { ...a, data });
  expect([...found.match]).toEqual([...p]);
  expect(found.passes).toBe(1);
});

test('rows that no candidate suits get what is left even when that is too much for the dense solver', () => {
  const [a, b] = duplicated(30, 300, 12);
  const found = assignDirections(a, b, {
    perRow: 2,
    perColumn: 1,
    tempting: 1,
    maxPasses: 1,
    denseEntries: 0,
  });
  expect(new Set(found.match).size).toBe(300);
  expect(found.gap).toBeGreaterThan(1e-3);
  expect(found.bound).toBeGreaterThan(dense(a, b).weight);
});

test('the same problem gives the same matching, whatever the blocks', () => {
  const [a, b] = related(40, 200, 8);
  const once = assignDirections(a, b, { block: { rows: 512, columns: 8192 } });
  const again = assignDirections(a, b, { block: { rows: 33, columns: 71 } });
  expect([...again.match]).toEqual([...once.match]);
});
