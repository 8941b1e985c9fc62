/** Measures of activations beside their definitions on dense matrices. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { SparseCode } from '../../autoencoders/autoencoder.ts';
import { pearson } from '../../numerics/correlation.ts';
import { Random } from '../../numerics/random.ts';
import { finish } from '../../steps.ts';
import { nearestAmong, type Candidates } from '../candidates.ts';
import { activationCandidateSteps } from './activationCandidates.ts';
import { firingLists, productOf } from './firingLists.ts';
import { closenessOf, expressedStates, squaredDistance } from './slicedWasserstein.ts';
import { ErrorProducts, Substitution } from './substitution.ts';

const [tokens, latents, others, d] = [90, 12, 15, 5];
const random = Random.fromSeed(4, 'codes');

/** [tokens, width], some 30 % of it above 0. */
const activations = (width: number) =>
  Array.from({ length: tokens }, () =>
    Array.from({ length: width }, () => Math.fround(Math.max(0, random.normal() - 0.5))),
  );
function codeOf(dense: readonly number[][]): SparseCode {
  const rowStart = new Int32Array(dense.length + 1);
  const indices: number[] = [];
  const values: number[] = [];
  dense.forEach((row, t) => {
    row.forEach((value, i) => {
      if (value === 0) return;
      indices.push(i);
      values.push(value);
    });
    rowStart[t + 1] = indices.length;
  });
  return {
    rows: dense.length,
    rowStart,
    indices: Int32Array.from(indices),
    values: Float32Array.from(values),
  };
}
const f = activations(latents);
const g = activations(others);
const column = (dense: readonly number[][], i: number) => dense.map((row) => row[i]);
// In two batches, as a store is read.
const [a, b] = [f, g].map((dense, side) =>
  firingLists(side === 0 ? latents : others, [codeOf(dense.slice(0, 40)), codeOf(dense.slice(40))]),
);

test('lists have every firing once, and products are those of the columns', () => {
  expect(a.tokens).toBe(tokens);
  for (let i = 0; i < latents; i++) {
    const fires = [...a.token.subarray(a.start[i], a.start[i + 1])];
    expect(fires).toEqual([...f.keys()].filter((t) => f[t][i] > 0));
    for (let j = 0; j < others; j++)
      expect(productOf(a, i, b, j)).toBeCloseTo(
        f.reduce((sum, row, t) => sum + row[i] * g[t][j], 0),
        10,
      );
  }
});

test('correlation and overlap over all tokens are those of the dense columns; the best of each row and column are kept', () => {
  const { correlation, jaccard } = finish(activationCandidateSteps(a, b, { kept: 3 }));
  const both = (i: number, j: number) => f.filter((row, t) => row[i] > 0 && g[t][j] > 0).length;
  const either = (i: number, j: number) => f.filter((row, t) => row[i] > 0 || g[t][j] > 0).length;
  const measured: [Candidates, (i: number, j: number) => number][] = [
    [correlation, (i, j) => pearson(column(f, i), column(g, j))!],
    [jaccard, (i, j) => both(i, j) / either(i, j)],
  ];
  for (const [found, of] of measured) {
    const nearest = nearestAmong(found);
    for (let i = 0; i < latents; i++) {
      const all = Array.from({ length: others }, (_, j) => of(i, j));
      expect(nearest.cosine[i]).toBeCloseTo(Math.max(...all), 5);
      for (let p = found.start[i]; p < found.start[i + 1]; p++)
        expect(found.weight[p]).toBeCloseTo(all[found.column[p]], 5);
    }
  }
});

test('the sliced distance of uniform and of weighted states is POT’s', () => {
  // Written by scripts/peers/sinkhorn.py.
  const { sliced } = JSON.parse(readFileSync(new URL('fixtures/sinkhorn.json', import.meta.url), 'utf8')) as {
    sliced: Record<'x' | 'y' | 'directions', number[][]> & {
      weights: number[];
      distance: number;
      weighted: number;
    };
  };
  const { x, y, directions, weights } = sliced;
  const states = [...x, ...y];
  const projected = Float32Array.from(
    states.flatMap((row) => directions.map((v) => v.reduce((sum, u, k) => sum + u * row[k], 0))),
  );
  // Latent 0 fires on x and latent 1 on y, alike; latent 2 fires on x with the weights; latent 3 never.
  const code = codeOf(
    states.map((_, t) => [t < x.length ? 1 : 0, t < x.length ? 0 : 1, t < x.length ? weights[t] : 0, 0]),
  );
  const lists = firingLists(4, [code]);
  const slices = directions.length;
  // As many quantiles as states: exact for uniform weights. A great many for the others.
  const exact = expressedStates(lists, projected, { slices, quantiles: x.length });
  expect(Math.sqrt(squaredDistance(exact, 0, exact, 1))).toBeCloseTo(sliced.distance, 5);
  const fine = expressedStates(lists, projected, { slices, quantiles: 6000 });
  expect(Math.sqrt(squaredDistance(fine, 2, fine, 1))).toBeCloseTo(sliced.weighted, 3);
  expect([...exact.live]).toEqual([1, 1, 1, 0]);
  const all = { rows: 4, columns: 4, start: Int32Array.of(0, 4, 8, 12, 16), column: Int32Array.from({ length: 16 }, (_, p) => p % 4), weight: new Float32Array(16) }; // prettier-ignore
  const near = closenessOf(all, exact, exact, Random.fromSeed(1));
  expect([...near.column]).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2]);
  for (const [i, p] of [0, 4, 8].entries()) {
    expect(near.column[p]).toBe(i);
    expect(near.weight[p]).toBe(1);
  }
  expect(near.weight[1]).toBeLessThan(near.weight[2]);
});

test('the error recovered by a counterpart is that of reconstructions made one by one', () => {
  const [wDec, other] = [random.normals(latents * d, 0.7), random.normals(others * d, 0.9)];
  const bias = [...random.normals(d)];
  const row = (weights: Float32Array, i: number) => [...weights.subarray(i * d, (i + 1) * d)];
  const decode = (code: readonly number[]) =>
    code.reduce((sum, value, i) => sum.map((s, k) => s + value * row(wDec, i)[k]), bias);
  const xHat = f.map(decode);
  const x = xHat.map((v) => v.map((value) => value + 0.4 * random.normal()));
  const error = Float32Array.from(x.flatMap((v, t) => v.map((value, k) => value - xHat[t][k])));
  const sides = [
    { dense: f, weights: wDec, lists: a },
    { dense: g, weights: other, lists: b },
  ].map(({ dense, weights, lists }) => {
    const products = new ErrorProducts({ wDec: weights, latents: lists.latents, d });
    products.add(error, codeOf(dense));
    return { firings: lists, wDec: weights, d, products: products.sums };
  });
  const test = new Substitution(sides[0], sides[1]);
  const squared = (of: (t: number) => number[]) =>
    x.reduce((sum, v, t) => sum + v.reduce((s, value, k) => s + (value - of(t)[k]) ** 2, 0), 0);
  const whole = squared((t) => xHat[t]);
  let missed = 0;
  for (let i = 0; i < latents; i++) {
    const without = (t: number) => xHat[t].map((value, k) => value - f[t][i] * row(wDec, i)[k]);
    const grown = squared(without) - whole;
    expect(test.ablated[i] / grown).toBeCloseTo(1, 4);
    for (let j = 0; j < others; j++) {
      const replaced =
        squared((t) => without(t).map((value, k) => value + g[t][j] * row(other, j)[k])) - whole;
      if (grown > 0) {
        missed++;
        expect(test.recovered(i, j)).toBeCloseTo(Math.min(1, Math.max(-1, 1 - replaced / grown)), 3);
      } else expect(test.recovered(i, j)).toBeNaN();
    }
    if (grown > 0) expect(test.recovered(i, -1)).toBe(0);
  }
  expect(missed).toBeGreaterThan(20);
});
