import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { assign } from '../assignment.ts';
import { merge, type Candidates } from '../candidates.ts';
import { heaviest } from './matchingMethods.ts';
import { sinkhorn } from './sinkhorn.ts';

/** Written by scripts/peers/sinkhorn.py: POT's and SciPy's answers. */
const peers = JSON.parse(readFileSync(new URL('fixtures/sinkhorn.json', import.meta.url), 'utf8')) as {
  weight: number[][];
  allowed: number[][];
  balanced: { epsilon: number; plan: number[][] };
  unbalanced: { epsilon: number; rho: number; plan: number[][] };
  some: { epsilon: number; rho: number; plan: number[][] };
  assignment: number[];
};

function candidatesOf(weight: readonly number[][], allowed?: readonly number[][]): Candidates {
  const pairs = weight.flatMap((row, i) =>
    row.flatMap((w, j) => (allowed && !allowed[i][j] ? [] : [{ i, j, w }])),
  );
  return merge({ rows: weight.length, columns: weight[0].length }, [
    {
      row: Int32Array.from(pairs, ({ i }) => i),
      column: Int32Array.from(pairs, ({ j }) => j),
      weight: Float32Array.from(pairs, ({ w }) => w),
    },
  ]);
}

function expectPlan(
  candidates: Candidates,
  { epsilon, rho = Infinity, plan }: { epsilon: number; rho?: number; plan: number[][] },
): void {
  const found = sinkhorn(candidates, { epsilon, rho, tolerance: 1e-12, maxIterations: 100_000 });
  const { rows, start, column } = candidates;
  let all = 0;
  for (let i = 0; i < rows; i++)
    for (let p = start[i]; p < start[i + 1]; p++) {
      // Weights are single precision, which e^(w/ε) enlarges.
      expect(Math.abs(found.mass[p] - plan[i][column[p]])).toBeLessThan(2e-6);
      all += found.mass[p];
    }
  expect(all).toBeCloseTo(
    plan.flat().reduce((sum, m) => sum + m, 0),
    5,
  );
}

describe('transport on all pairs and on some is that of POT', () => {
  test('with marginals that are met', () => expectPlan(candidatesOf(peers.weight), peers.balanced));
  test('with marginals at a price', () => expectPlan(candidatesOf(peers.weight), peers.unbalanced));
  test('where most pairs are no candidates', () =>
    expectPlan(candidatesOf(peers.weight, peers.allowed), peers.some));
});

test('with a small ε the balanced plan is the assignment, that of SciPy on its matrix and the exact solver’s on a larger one', () => {
  const square = peers.weight.map((row) => row.slice(0, row.length - 2));
  const small = { epsilon: 4e-3, rho: Infinity, tolerance: 1e-7, maxIterations: 20_000 };
  const candidates = candidatesOf(square);
  const found = heaviest(candidates, sinkhorn(candidates, small));
  expect([...found.match]).toEqual(peers.assignment);
  for (const sure of found.confidence) expect(sure).toBeGreaterThan(0.9);

  const random = Random.fromSeed(5, 'weights');
  const size = 30;
  const weight = Array.from({ length: size }, () => Array.from({ length: size }, () => random.uniform()));
  const large = candidatesOf(weight);
  const plan = sinkhorn(large, small);
  const exact = assign({ rows: size, columns: size, data: Float64Array.from(weight.flat()) });
  let value = 0;
  plan.mass.forEach((m, p) => (value += m * size * large.weight[p]));
  // The entropic plan is at most ε log size per row below the best one.
  expect(value).toBeLessThanOrEqual(exact.weight + 1e-3);
  expect(value).toBeGreaterThan(exact.weight - size * small.epsilon * Math.log(size));
  for (const m of plan.columnMass) expect(m).toBeCloseTo(1 / size, 6);
});

test('ε of a thousandth neither overflows nor vanishes, and a latent that nothing is near keeps its mass', () => {
  const candidates = candidatesOf([
    [1, 0],
    [0, 0.999],
    [-1, -1],
  ]);
  const { mass, rowMass } = sinkhorn(candidates, { epsilon: 1e-3, rho: 0.05 });
  for (const m of mass) expect(Number.isFinite(m)).toBe(true);
  expect(rowMass[2]).toBeLessThan(1e-6);
  expect(rowMass[0]).toBeGreaterThan(0.3);
});

test('ε and ρ must be above 0; a balanced plan needs a way to every latent', () => {
  const candidates = candidatesOf(
    [
      [1, 0],
      [1, 0],
    ],
    [
      [1, 0],
      [1, 0],
    ],
  );
  for (const epsilon of [0, -1, NaN])
    expect(() => sinkhorn(candidates, { epsilon, rho: 1 })).toThrow(/ε of the transport/);
  expect(() => sinkhorn(candidates, { epsilon: 1, rho: 0 })).toThrow(/ρ of the transport/);
  expect(() => sinkhorn(candidates, { epsilon: 1, rho: Infinity })).toThrow(/column 1/);
  expect(sinkhorn(candidates, { epsilon: 1, rho: 1 }).columnMass[1]).toBe(0);
});
