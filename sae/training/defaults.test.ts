import { expect, test } from 'vitest';
import { architectureNames } from '../spec/architectures/architectures.ts';
import { defaultTrainingConfig } from './defaults.ts';

const rateOf = (
  architecture: (typeof architectureNames)[number],
  options: { width: number; tokens: number; d?: number; batchSize?: number },
) => defaultTrainingConfig(architecture, { capture: 'c', hook: 'h', d: 128, ...options }).learningRate;

test('wider dictionaries take smaller steps', () => {
  for (const architecture of architectureNames) {
    const at = (width: number) => rateOf(architecture, { width, tokens: 10_000_000 });
    expect(at(512)).toBe(at(1024));
    expect(at(4096) / at(1024)).toBeCloseTo(0.5, 12);
  }
});

test('in a short run the thresholds of JumpReLU can still move by a factor of e^0.8, at the usual rate at most', () => {
  const short = { width: 6144, tokens: 500_000 };
  expect(rateOf('jumprelu', short)).toBeCloseTo(0.8 / 245, 12);
  expect(rateOf('jumprelu', { ...short, tokens: 2_000_000 })).toBeCloseTo(4e-3 * Math.sqrt(1024 / 6144), 12);
  expect(rateOf('jumprelu', { ...short, tokens: 100_000, batchSize: 2000 })).toBe(4e-3);
  expect(rateOf('jumprelu', { ...short, width: 1024 })).toBe(4e-3);
  for (const architecture of ['relu', 'topk', 'batchtopk', 'gated', 'matryoshka', 'matryoshkatopk'] as const)
    expect(rateOf(architecture, short)).toBe(rateOf(architecture, { ...short, tokens: 2_000_000 }));
});
