import { beforeAll, expect, test } from 'vitest';
import { tf } from '../../tensor/tf.ts';
import { SignalPropagation } from './signalPropagation.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const rows = (...values: number[]) => tf.tensor2d(values, [values.length / 2, 2]);

test('means and variances of hand-made vectors, averaged over tokens and kept apart by depth', () => {
  const signal = new SignalPropagation(2);
  signal.add(0, rows(1, 3, 2, 2));
  signal.add(0, rows(-1, 1));
  signal.add(1, rows(10, 30));
  const [first, second] = signal.byDepth();
  expect(first.meanSquared).toBeCloseTo((4 + 4 + 0) / 3, 12);
  expect(first.variance).toBeCloseTo((1 + 0 + 1) / 3, 12);
  expect(second).toEqual({ meanSquared: 400, variance: 100 });
});

test('a large offset does not drown the variance', () => {
  const signal = new SignalPropagation(1);
  signal.add(0, rows(100_001, 100_003));
  expect(signal.byDepth()[0].variance).toBeCloseTo(1, 9);
});
