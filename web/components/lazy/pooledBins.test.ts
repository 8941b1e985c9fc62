import { expect, test } from 'vitest';
import { pooledBins } from './pooledBins.ts';

const bin = (count: number, confidence: number, accuracy: number) => ({ count, confidence, accuracy });

test('bins of few predictions are put together, and what remains goes to the last', () => {
  const bins = [bin(0, 0, 0), bin(300, 0.1, 0.12), bin(60, 0.2, 0.5), bin(90, 0.3, 0), bin(7, 0.9, 1)];
  expect(pooledBins(bins, 100)).toEqual([
    bin(300, 0.1, 0.12),
    bin(157, (60 * 0.2 + 90 * 0.3 + 7 * 0.9) / 157, (60 * 0.5 + 7) / 157),
  ]);
});

test('no prediction is lost, and too few for any bin are one', () => {
  expect(pooledBins([bin(3, 0.25, 1), bin(0, 0, 0), bin(1, 0.75, 0)], 100)).toEqual([bin(4, 0.375, 0.75)]);
  expect(pooledBins([], 100)).toEqual([]);
});
