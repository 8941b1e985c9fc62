import { expect, test } from 'vitest';
import type { SharedHeadline } from '../compare/sharedSummary.ts';
import { sharedByLayer } from './sharedByLayer.ts';

const headline = (run: string, mean: number) => ({ run, mean }) as SharedHeadline;
const run = (name: string, layer: number, { width = 1024, k = 32 } = {}) => ({
  name,
  architecture: 'topk' as const,
  hook: `blocks.${layer}.hook_resid_post`,
  width,
  capture: 'book',
  tokens: 1_000_000,
  k,
  sparsityCoefficient: null,
  targetL0: null,
});

test('runs that differ in the layer only are a line, in order of layers', () => {
  const lines = sharedByLayer(
    [headline('late', 0.1), headline('early', 0.4), headline('early again', 0.2), headline('wide', 0.3)],
    [run('late', 3), run('early', 1), run('early again', 1), run('wide', 2, { width: 4096 })],
  );
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    name: 'TopK · k = 32 · 1024 · hook_resid_post · book · 1,000,000 tokens',
    layers: [1, 3],
  });
  expect(lines[0].shared[0]).toBeCloseTo(0.3, 12);
  expect(lines[0].shared[1]).toBe(0.1);
});

test('runs of another sparsity are not averaged with those of one layer', () => {
  const lines = sharedByLayer(
    [headline('first', 0.1), headline('second', 0.2), headline('sparser', 0.9)],
    [run('first', 1), run('second', 2), run('sparser', 2, { k: 8 })],
  );
  expect(lines.map(({ layers, shared }) => ({ layers, shared }))).toEqual([
    { layers: [1, 2], shared: [0.1, 0.2] },
  ]);
});

test('one layer is no line', () => {
  expect(sharedByLayer([headline('a', 0.1)], [run('a', 1)])).toEqual([]);
});
