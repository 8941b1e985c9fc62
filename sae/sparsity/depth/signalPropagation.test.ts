import { beforeAll, expect, test } from 'vitest';
import { tf } from '../../tensor/tf.ts';
import { medianSignal, SignalPropagation } from './signalPropagation.ts';

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

test('the median is of the tokens, whatever one sink does to the mean', () => {
  const vectors = [1, 3, 2, 2, -1, 5, 4000, -8000];
  const signal = new SignalPropagation(1);
  signal.add(0, rows(...vectors));
  expect(signal.byDepth()[0].variance).toBeGreaterThan(1e6);
  // Variances 1, 0, 9 and 3.6e7; squared means 4, 4, 4 and 4e6.
  expect(medianSignal(Float32Array.from(vectors), 2)).toEqual({ meanSquared: 4, variance: 5 });
  expect(medianSignal(Float32Array.of(1, 3, 2, 2, -1, 5), 2)).toEqual({ meanSquared: 4, variance: 1 });
});
