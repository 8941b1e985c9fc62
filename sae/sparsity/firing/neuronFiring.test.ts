import { beforeAll, expect, test } from 'vitest';
import { tf } from '../../tensor/tf.ts';
import { magnitudeLevels } from '../../ops/magnitudeLevels.ts';
import { NeuronFiring } from './neuronFiring.ts';
import { StrongestTokens } from './strongestTokens.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});
const matrix = (values: ArrayLike<number>, neurons: number) =>
  tf.tensor2d(Float32Array.from(values), [values.length / neurons, neurons]);

const options = { neurons: 4, positions: 2, vocabulary: 16, thresholds: [0.1, 1, 10], neuronThreshold: 1 };

test('counts of a hand-made batch', () => {
  const firing = new NeuronFiring(options);
  // Two contexts of two tokens; neuron 3 never fires, neuron 0 always does.
  firing.add({
    tokens: Int32Array.of(5, 6, 7, 8),
    seq: 2,
    activations: matrix([2, 0, 0, 0, 0.5, -20, 0, 0, 2, 0, 0.05, 0, 3, 0, 0, 0], 4),
  });
  expect(firing.tokens).toBe(4);
  expect(firing.activationRatio()).toBe(6 / 16);
  expect(firing.ratioAt()).toEqual([5 / 16, 4 / 16, 1 / 16]);
  expect(firing.deadRate()).toBe(1 / 4);
  expect(firing.dynamicDeadRate()).toBe(1 / 4);
  expect([...firing.frequency()]).toEqual([1, 0.25, 0.25, 0]);
  expect([...firing.frequencyAt()]).toEqual([0.75, 0.25, 0, 0]);
  expect([...firing.meanActivation()].map((a) => Number(a.toFixed(6)))).toEqual([1.875, -20, 0.05, 0]);
  expect([...firing.maxActivation()].map((a) => Number(a.toFixed(6)))).toEqual([3, 20, 0.05, 0]);
  expect([...firing.ratioByPosition()]).toEqual([3 / 8, 3 / 8]);
  expect(firing.frequencyHistogram(4)).toEqual([1, 2, 0, 1]);
  expect([...firing.strongestTokens(0)]).toEqual([8, 5, 7, 6]);
  expect([...firing.strongestTokens(1)]).toEqual([6]);
  expect([...firing.strongestTokens(3)]).toEqual([]);
});

test('a neuron silent in half of the batches is dynamically dead in half, dead in none', () => {
  const firing = new NeuronFiring({ ...options, neurons: 1 });
  const batch = (a: number) => ({ tokens: Int32Array.of(1), seq: 1, activations: matrix([a], 1) });
  [1, 0, 0, 1].forEach((a) => firing.add(batch(a)));
  expect(firing.dynamicDeadRate()).toBe(0.5);
  expect(firing.deadRate()).toBe(0);
});

test('a batch may come in parts: a neuron that fires in one of them is not silent in the batch', () => {
  const firing = new NeuronFiring({ ...options, neurons: 2 });
  const part = (a: number[], continues: boolean) =>
    firing.add({ tokens: Int32Array.of(1), seq: 1, activations: matrix(a, 2), continues });
  part([1, 0], true);
  part([0, 0], false);
  expect(firing.dynamicDeadRate()).toBe(0.5);
  part([0, 0], true);
  part([0, 0], false);
  expect(firing.dynamicDeadRate()).toBe(0.75);
});

test('in a gated layer the gate decides who fires, the product how strongly', () => {
  const firing = new NeuronFiring({ ...options, neurons: 2, positions: 1 });
  firing.add({
    tokens: Int32Array.of(1),
    seq: 1,
    gates: matrix([1e-30, 0], 2),
    activations: matrix([0, 0], 2),
  });
  expect(firing.activationRatio()).toBe(0.5);
  expect(firing.ratioAt()).toEqual([0, 0, 0]);
});

test('in a mixture, tokens that the router sends elsewhere are not looked at rather than counted as silent', () => {
  // Three experts of two neurons, one for each token; nothing goes to the last.
  const firing = new NeuronFiring({
    ...options,
    neurons: 6,
    positions: 2,
    experts: { count: 3, perToken: 1 },
  });
  // Gates are open exactly where neurons of the token's expert fire.
  firing.add({
    tokens: Int32Array.of(5, 6, 7, 5),
    seq: 2,
    routed: Float32Array.of(1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0),
    gates: matrix([1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0], 6),
    activations: matrix([2, 0, 0, 0, 0, 0, 0.05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 3, 0, 0], 6),
  });
  expect(firing.activationRatio()).toBe(4 / 8);
  expect(firing.ratioAt()).toEqual([3 / 8, 3 / 8, 1 / 8]);
  expect([...firing.frequency()]).toEqual([2 / 3, 0, 1, 1, 0, 0]);
  expect([...firing.frequencyAt()]).toEqual([1 / 3, 0, 1, 1, 0, 0]);
  expect([...firing.routedShare()!]).toEqual([0.75, 0.75, 0.25, 0.25, 0, 0]);
  // Of the four neurons that any token was sent to, one never fired.
  expect(firing.deadRate()).toBe(1 / 4);
  expect(firing.dynamicDeadRate()).toBe(1 / 4);
  expect([...firing.ratioByPosition()]).toEqual([1 / 4, 3 / 4]);
  expect(firing.frequencyHistogram(4)).toEqual([1, 0, 1, 2]);
  expect(firing.byExpert()).toEqual([
    { tokens: 3, activationRatio: 2 / 6, deadRate: 1 / 2 },
    { tokens: 1, activationRatio: 1, deadRate: 0 },
    { tokens: 0, activationRatio: null, deadRate: null },
  ]);
});

test('the strongest tokens are distinct, in order, and each with its best score', () => {
  const strongest = new StrongestTokens(2, 3);
  const offers: [number, number][] = [
    [10, 1],
    [11, 5],
    [10, 4],
    [12, 3],
    [13, 3.5],
    [11, 2],
    [10, 9],
    [14, 0.5],
  ];
  for (const [token, score] of offers) strongest.offer(1, token, score);
  expect([...strongest.of(1)]).toEqual([10, 11, 13]);
  expect([...strongest.of(0)]).toEqual([]);
});

test('counts above thresholds are exact at the threshold itself, whatever its rounding', () => {
  const thresholds = [0, 1e-4, 1e-3, 1e-2, 0.1, 1];
  const values: number[] = [];
  for (const threshold of thresholds) {
    const single = Math.fround(threshold);
    values.push(single, -single, single * (1 + 2 ** -22), single * (1 - 2 ** -22), threshold + 1e-9);
  }
  values.push(1e-40, -1e-40, 3e38, Infinity);
  const activations = Float32Array.from(values);
  const firing = new NeuronFiring({
    neurons: activations.length,
    positions: 1,
    vocabulary: 1,
    thresholds,
    neuronThreshold: 3,
  });
  firing.add({ tokens: Int32Array.of(0), seq: 1, activations: matrix(activations, activations.length) });
  thresholds.forEach((threshold, e) => {
    const above = activations.filter((a) => Math.abs(a) > threshold).length;
    expect(firing.ratioAt()[e]).toBe(above / activations.length);
  });
  const single = [...firing.frequencyAt()];
  expect(single).toEqual(Array.from(activations, (a) => (Math.abs(a) > 1e-2 ? 1 : 0)));
});

test('activation ratio by token id, and how the share of firing neurons is spread over tokens', () => {
  const firing = new NeuronFiring(options);
  firing.add({
    tokens: Int32Array.of(5, 6, 5, 8),
    seq: 2,
    activations: matrix([2, 0, 0, 0, 0.5, -20, 0, 0, 2, 0, 0.05, 1, 0, 0, 0, 0], 4),
  });
  expect(firing.ratioByToken()).toEqual([
    { token: 5, occurrences: 2, activationRatio: 0.5 },
    { token: 6, occurrences: 1, activationRatio: 0.5 },
    { token: 8, occurrences: 1, activationRatio: 0 },
  ]);
  const histogram = firing.tokenHistogram();
  expect(histogram.reduce((a, b) => a + b, 0)).toBe(4);
  expect([histogram[0], histogram[12], histogram[25], histogram[37]]).toEqual([1, 1, 1, 1]);
});

test('examples: a neuron’s strongest stretches, one a context, its activations around the peak', () => {
  const firing = new NeuronFiring({ ...options, neurons: 2, positions: 3, keptExamples: 2 });
  const batch = (firstToken: number, ...column: number[]) =>
    firing.add({
      tokens: Int32Array.from(column, (_, i) => i),
      seq: 3,
      firstToken,
      activations: matrix(
        column.flatMap((a) => [a, 0]),
        2,
      ),
    });
  batch(0, 1, 4, 2, 0, 0, 3);
  batch(6, 0, -9, 8, 1, 1, 1);
  expect(firing.examples.of(0)).toEqual([
    { magnitude: 9, place: 7, start: 6, activations: Float32Array.of(0, -9, 8) },
    { magnitude: 4, place: 1, start: 0, activations: Float32Array.of(1, 4, 2) },
  ]);
  expect(firing.examples.of(1)).toEqual([]);
});

test('thresholds that do not ascend, or crowd, are refused', () => {
  const make = (thresholds: number[]) => () => magnitudeLevels(thresholds);
  expect(make([1, 0.1])).toThrow(/must ascend/);
  expect(make([1, 1.01])).toThrow(/less than an eighth apart/);
});
