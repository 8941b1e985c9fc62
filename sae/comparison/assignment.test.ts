import { describe, expect, test } from 'vitest';
import { Random } from '../numerics/random.ts';
import { assign, type WeightMatrix } from './assignment.ts';
import { certificate } from './certificate.ts';

/** The best weight by trying every way to give each row its own column. Needs rows ≤ columns. */
function bruteForce({ rows, columns, data }: WeightMatrix): number {
  const taken = Array.from({ length: columns }, () => false);
  const best = (row: number): number => {
    if (row === rows) return 0;
    let result = -Infinity;
    for (let j = 0; j < columns; j++) {
      if (taken[j]) continue;
      taken[j] = true;
      result = Math.max(result, data[row * columns + j] + best(row + 1));
      taken[j] = false;
    }
    return result;
  };
  return best(0);
}

function matrix(rows: number, columns: number, entry: (i: number, j: number) => number): WeightMatrix {
  const data = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) data[i * columns + j] = entry(i, j);
  return { rows, columns, data };
}

const kinds: Record<string, (random: Random) => (i: number, j: number) => number> = {
  uniform: (r) => () => r.uniform(),
  'negative and positive': (r) => () => r.normal() * 10,
  'heavily tied': (r) => () => r.below(3),
  'all equal': () => () => 0.5,
  'product of ranks': () => (i, j) => i * j,
  'sum of parts (every matching is optimal)': () => (i, j) => Math.sin(i) + Math.cos(j),
  'block of duplicates': (r) => {
    const rows = Array.from({ length: 5 }, () => Array.from({ length: 5 }, () => r.uniform()));
    return (i, j) => rows[i % 5][j % 5];
  },
  'tiny differences': (r) => () => 1 + r.below(4) * 1e-7,
};

describe.each(Object.entries(kinds))('%s', (_, kind) => {
  test('equals brute force for every shape up to 7 × 7', () => {
    const random = Random.fromSeed(1, 'brute force');
    for (let rows = 1; rows <= 6; rows++)
      for (let columns = rows; columns <= 7; columns++)
        for (let round = 0; round < 3; round++) {
          const problem = matrix(rows, columns, kind(random));
          const best = bruteForce(problem);
          expect(assign(problem).weight).toBeCloseTo(best, 9);
          const turned = matrix(columns, rows, (i, j) => problem.data[j * columns + i]);
          expect(assign(turned).weight).toBeCloseTo(best, 9);
        }
    const seven = matrix(7, 7, kind(random));
    expect(assign(seven).weight).toBeCloseTo(bruteForce(seven), 9);
  });

  test.each([
    [60, 60],
    [300, 300],
    [120, 311],
    [311, 120],
  ])('%d × %d: a matching, with prices that prove it optimal', (rows, columns) => {
    const problem = matrix(rows, columns, kind(Random.fromSeed(2, 'certificate')));
    const result = assign(problem);
    const matched = [...result.rowToColumn].filter((j) => j >= 0);
    expect(matched).toHaveLength(Math.min(rows, columns));
    expect(new Set(matched).size).toBe(matched.length);
    result.columnToRow.forEach((i, j) => i >= 0 && expect(result.rowToColumn[i]).toBe(j));
    let scale = 1;
    for (const w of problem.data) scale = Math.max(scale, Math.abs(w));
    const proof = certificate(problem, result);
    expect(proof.infeasibility).toBeLessThan(1e-12 * scale);
    expect(proof.slackness).toBeLessThan(1e-12 * scale);
    expect(Math.abs(proof.gap)).toBeLessThan(1e-12 * rows);
    expect(proof.weight).toBeCloseTo(result.weight, 6);
  });
});

test('the certificate of a matching that is not the best one shows a gap', () => {
  const problem = matrix(3, 3, (i, j) => (i === j ? 1 : 0));
  const best = assign(problem);
  const worse = { ...best, rowToColumn: Int32Array.of(1, 0, 2) };
  expect(certificate(problem, worse).gap).toBeCloseTo(2 / 3, 12);
  expect(certificate(problem, worse).slackness).toBeGreaterThan(0.4);
});

test('a permuted identity is recovered', () => {
  const p = Random.fromSeed(4).permutation(500);
  const noise = Random.fromSeed(5);
  const problem = matrix(500, 500, (i, j) => (p[i] === j ? 1 : 0.2 * noise.uniform()));
  expect([...assign(problem).rowToColumn]).toEqual([...p]);
});

test('a weight that is not finite is refused with its place', () => {
  const problem = matrix(2, 3, (i, j) => (i === 1 && j === 2 ? NaN : 0));
  expect(() => assign(problem)).toThrow(/row 1, column 2 is NaN/);
  expect(() => assign({ rows: 2, columns: 2, data: new Float32Array(3) })).toThrow(/2 × 2 with 3 weights/);
});

test('1,024 unrelated directions in 64 dimensions: solved within seconds, and proved', () => {
  const random = Random.fromSeed(6);
  const [a, b] = [random.normals(1024 * 64), random.normals(1024 * 64)];
  const problem = matrix(1024, 1024, (i, j) => {
    let dot = 0;
    for (let k = 0; k < 64; k++) dot += a[i * 64 + k] * b[j * 64 + k];
    return dot / 64;
  });
  const start = performance.now();
  const result = assign(problem);
  expect(performance.now() - start).toBeLessThan(20_000);
  expect(Math.abs(certificate(problem, result).gap)).toBeLessThan(1e-10);
});
