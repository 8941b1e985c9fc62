import { expect, test } from 'vitest';
import { Random } from './random.ts';

test('a state read and restored continues the same sequence', () => {
  const a = Random.fromSeed(7, 'data');
  for (let i = 0; i < 100; i++) a.uint32();
  const b = Random.fromState(a.state());
  expect(Array.from({ length: 50 }, () => b.uint32())).toEqual(Array.from({ length: 50 }, () => a.uint32()));
});

test('seeds and streams give different sequences', () => {
  const first = (seed: number, stream: string) => Random.fromSeed(seed, stream).uint32();
  expect(new Set([first(1, 'a'), first(2, 'a'), first(1, 'b'), first(-1, 'a')]).size).toBe(4);
});

test('uniform draws fill [0, 1) evenly and normals have mean 0 and variance 1', () => {
  const random = Random.fromSeed(3);
  const n = 40_000;
  const bins = Array.from({ length: 10 }, () => 0);
  for (let i = 0; i < n; i++) bins[Math.floor(random.uniform() * 10)]++;
  // χ² with 9 degrees of freedom exceeds 33.7 once in 10,000 tries.
  expect(bins.reduce((sum, count) => sum + (count - n / 10) ** 2 / (n / 10), 0)).toBeLessThan(33.7);
  const normals = random.normals(n);
  const mean = normals.reduce((a, b) => a + b, 0) / n;
  const variance = normals.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
  expect(Math.abs(mean)).toBeLessThan(0.025);
  expect(Math.abs(variance - 1)).toBeLessThan(0.04);
});

test('a permutation contains every index once', () => {
  const p = Random.fromSeed(11).permutation(1000);
  expect([...p].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
});
