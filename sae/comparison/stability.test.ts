import { describe, expect, test } from 'vitest';
import { latentStability, uniqueLatents, type SharedLink } from './stability.ts';

const seeds = [
  { key: 'run/0', latents: 4 },
  { key: 'run/1', latents: 4 },
  { key: 'run/2', latents: 3 },
];
const link = (a: number, b: number, ...counterpart: number[]): SharedLink => ({
  a: `run/${a}`,
  b: `run/${b}`,
  counterpart: Int32Array.from(counterpart),
});
// Feature P is in all seeds, Q in 0 and 1, R in 1 and 2; the rest appear once.
const links = [link(0, 1, 2, 0, -1, -1), link(0, 2, 1, -1, -1, -1), link(1, 2, -1, 0, 1, -1)];

test('stability is the share of other seeds a latent comes back in, seen from either side of a comparison', () => {
  const [first, second, third] = latentStability(seeds, links);
  expect([...first.stability]).toEqual([1, 0.5, 0, 0]);
  expect([...second.stability]).toEqual([0.5, 0.5, 1, 0]);
  expect([...third.stability]).toEqual([0.5, 1, 0]);
  expect([...first.orphans]).toEqual([2, 3]);
  expect([...second.orphans]).toEqual([3]);
  expect([...third.orphans]).toEqual([2]);
});

test('a comparison made the other way round counts the same', () => {
  const turned = [link(1, 0, 1, -1, 0, -1), ...links.slice(1)];
  expect(latentStability(seeds, turned)).toEqual(latentStability(seeds, links));
});

test('only comparisons that were made count; without any there is no number and no orphan', () => {
  const [first, second, third] = latentStability(seeds, [links[0]]);
  expect(first.compared).toBe(1);
  expect([...first.stability]).toEqual([1, 1, 0, 0]);
  expect([...second.stability]).toEqual([1, 0, 1, 0]);
  expect([...third.stability]).toEqual([NaN, NaN, NaN]);
  expect(third.orphans).toHaveLength(0);
});

describe('unique latents', () => {
  test('each shared feature counts once', () => {
    const found = uniqueLatents(seeds, links);
    expect(found.map((f) => f.seeds)).toEqual([1, 2, 3]);
    // 11 latents: P thrice, Q and R twice → 11 − 2 − 1 − 1.
    expect(found[2].unique).toBeCloseTo(7, 12);
    expect(found[2].total).toBeCloseTo(11, 12);
    // Pairs (0,1), (1,2), (2,0): 8 − 2, 7 − 2, 7 − 1.
    expect(found[1].unique).toBeCloseTo((6 + 5 + 6) / 3, 12);
    expect(found[0].unique).toBeCloseTo(11 / 3, 12);
  });

  test('identical seeds find nothing new, unrelated ones only new', () => {
    const equal = [0, 1, 2].map((s) => ({ key: `run/${s}`, latents: 2 }));
    const all = (...c: number[]) => [link(0, 1, ...c), link(0, 2, ...c), link(1, 2, ...c)];
    expect(uniqueLatents(equal, all(0, 1)).map((f) => f.unique)).toEqual([2, 2, 2]);
    expect(uniqueLatents(equal, all(-1, -1)).map((f) => f.unique)).toEqual([2, 4, 6]);
  });

  test('refuses a group with a pair that was never compared', () => {
    expect(() => uniqueLatents(seeds, links.slice(0, 2))).toThrow(
      /'run\/1' and 'run\/2' have not been compared/,
    );
  });
});

test('links that do not fit the dictionaries are refused', () => {
  expect(() => latentStability(seeds, [link(0, 1, 0)])).toThrow(/does not fit/);
  expect(() => latentStability(seeds, [link(0, 9, 0, 0, 0, 0)])).toThrow(/does not fit/);
  expect(() => latentStability(seeds, [link(0, 2, 3, -1, -1, -1)])).toThrow(/names latent 3/);
});
