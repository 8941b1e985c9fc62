import { beforeAll, describe, expect, test } from 'vitest';
import { chooseCudaDeviceForTests } from '../backends/cuda/cudaDeviceForTests.ts';
import { probeBackends, startBackend } from '../backends/startBackend.ts';
import { Random } from '../numerics/random.ts';
import { tf } from '../tensor/tf.ts';
import {
  causalAttention,
  causalAttentionWithEntropy,
  referenceCausalAttentionWithEntropy,
} from './attention.ts';
import { firingCounts, referenceFiringCounts } from './firingCounts.ts';
import { maskedActivations, referenceMaskedActivations, type Mask } from './maskedActivations.ts';
import { referenceSignalSums, signalSums } from './signalSums.ts';
import { referenceTruncationLosses, truncationLosses } from './truncationLosses.ts';

chooseCudaDeviceForTests();
const tuned = (await probeBackends()).filter(({ name }) => name === 'native' || name === 'cuda');

describe.each(tuned)('the kernels of backend $name agree with the reference', ({ name, works, detail }) => {
  if (!works) {
    test.skip(`not on this machine: ${detail}`, () => {});
    return;
  }
  beforeAll(async () => {
    await startBackend(name);
  });

  test.each([
    { tokens: 5, neurons: 1 },
    { tokens: 7, neurons: 63 },
    { tokens: 9, neurons: 64 },
    { tokens: 16, neurons: 200 },
    { tokens: 33, neurons: 517 },
  ])('firing counts of [$tokens, $neurons]', ({ tokens, neurons }) => {
    const random = Random.fromSeed(neurons);
    const count = tokens * neurons;
    const a = random.normals(count, 0.5).map((x, at) => (at % 3 === 0 ? 0 : x));
    // Some values are exactly at the thresholds, with either sign.
    [1e-4, 1e-3, 0.1, 1].forEach((edge, at) => at < count && (a[at] = at % 2 ? -edge : edge));
    const gates = random.normals(count).map((x) => Math.max(0, x));
    const before = tf.memory().numTensors;
    for (const gated of [false, true]) {
      const activations = tf.tensor2d(a, [tokens, neurons]);
      const given = gated ? tf.tensor2d(gates, [tokens, neurons]) : undefined;
      const input = {
        activations,
        ...(given ? { gates: given } : {}),
        bar: random.normals(neurons).map((x, i) => (i % 5 === 0 ? -Infinity : Math.abs(x))),
        first: 2,
        rows: tokens - 3,
        thresholds: [1e-4, 1e-3, 1e-2, 0.1, 1],
        neuronThreshold: 2,
      };
      const [tuned, reference] = [firingCounts(input), referenceFiringCounts(input)];
      for (const key of ['fired', 'firedAt', 'levels', 'rowFired'] as const)
        expect(tuned[key], key).toEqual(reference[key]);
      expect([...tuned.over].sort((x, y) => x - y)).toEqual([...reference.over]);
      reference.sum.forEach((sum, i) => expect(tuned.sum[i]).toBeCloseTo(sum, 4));
      tf.dispose([activations, given ?? []]);
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  test.each([
    { heads: 3, kvHeads: 3, seq: 2, keys: 2 },
    { heads: 4, kvHeads: 2, seq: 33, keys: 33 },
    { heads: 2, kvHeads: 1, seq: 5, keys: 12 },
    { heads: 2, kvHeads: 2, seq: 131, keys: 131 },
  ])('attention with entropies: $seq queries of $keys keys', ({ heads, kvHeads, seq, keys }) => {
    const random = Random.fromSeed(keys);
    const normal = (count: number, positions: number) =>
      tf.tensor4d(random.normals(2 * count * positions * 8), [2, count, positions, 8]);
    const [q, k, v] = [normal(heads, seq), normal(kvHeads, keys), normal(kvHeads, keys)];
    const before = tf.memory().numTensors;
    // With the larger scale some heads attend to a single position.
    for (const scale of [0.3, 30]) {
      const tuned = causalAttentionWithEntropy(q, k, v, scale);
      const reference = referenceCausalAttentionWithEntropy(q, k, v, scale);
      const plain = causalAttention(q, k, v, scale);
      const [mixed, sums] = tuned.map((tensor) => tensor.dataSync<'float32'>());
      const [expectedMixed, expectedSums] = reference.map((tensor) => tensor.dataSync<'float32'>());
      expect(tuned[1].shape).toEqual([2, heads]);
      sums.forEach((sum, head) => expect(sum / seq).toBeCloseTo(expectedSums[head] / seq, 5));
      mixed.forEach((x, at) => expect(x).toBeCloseTo(expectedMixed[at], 4));
      expect(mixed).toEqual(plain.dataSync());
      tf.dispose([...tuned, ...reference, plain]);
    }
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([q, k, v]);
  });

  test.each([
    { tokens: 1, neurons: 3, d: 1 },
    { tokens: 5, neurons: 40, d: 16 },
    { tokens: 9, neurons: 64, d: 37 },
  ])('losses of truncation [$tokens, $neurons] of rows of $d', ({ tokens, neurons, d }) => {
    const random = Random.fromSeed(d);
    const values = random.normals(tokens * neurons).map((x, at) => (at % 7 === 0 ? 0 : x));
    const before = tf.memory().numTensors;
    const activations = tf.tensor2d(values, [tokens, neurons]);
    const outputs = tf.tensor2d(random.normals(neurons * d), [neurons, d]);
    const orders = Array.from({ length: tokens }, () => [...random.permutation(neurons)]);
    const order = tf.tensor2d(orders, [tokens, neurons], 'int32');
    const tuned = truncationLosses(activations, outputs, order);
    const reference = referenceTruncationLosses(activations, outputs, order);
    expect(tuned).toHaveLength(tokens * neurons);
    tuned.forEach((loss, at) => expect(loss).toBeCloseTo(reference[at], 4));
    // All of them together are the layer's output, in whatever order.
    const whole = tf.tidy(() => tf.norm(tf.matMul(activations, outputs), 'euclidean', 1).dataSync());
    whole.forEach((norm, token) => expect(tuned[(token + 1) * neurons - 1]).toBeCloseTo(norm, 3));
    tf.dispose([activations, outputs, order]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test.each([
    { rows: 1, d: 1 },
    { rows: 64, d: 8 },
    { rows: 131, d: 37 },
  ])('signal of [$rows, $d], also about a large offset', ({ rows, d }) => {
    const values = Random.fromSeed(rows).normals(rows * d);
    for (const offset of [0, 1000]) {
      const x = tf.tensor2d(
        values.map((value) => value + offset),
        [rows, d],
      );
      const [tuned, reference] = [signalSums(x), referenceSignalSums(x)];
      expect(tuned.meanSquared / reference.meanSquared).toBeCloseTo(1, 6);
      expect(tuned.variance).toBeCloseTo(reference.variance, 2);
      x.dispose();
    }
  });

  test.each([
    { tokens: 1, neurons: 2 },
    { tokens: 7, neurons: 15 },
    { tokens: 9, neurons: 64 },
    { tokens: 33, neurons: 517 },
  ])('masked activations of [$tokens, $neurons] by every rule, zeros counted', ({ tokens, neurons }) => {
    const random = Random.fromSeed(neurons);
    const normals = () => random.normals(tokens * neurons);
    // Zeros of either sign, ties, and values exactly at a bar.
    const values = normals().map((x, at) => (at % 5 === 0 ? (at % 2 ? -0 : 0) : Math.round(4 * x) / 4));
    const bars = Float32Array.from(
      { length: neurons },
      (_, i) => [-Infinity, 0.25, 0.7, Infinity, NaN][i % 5],
    );
    const before = tf.memory().numTensors;
    const a = tf.tensor3d(values, [1, tokens, neurons]);
    const key = tf.tensor3d(normals(), [1, tokens, neurons]);
    const k = Math.ceil(neurons / 3);
    const masks: [Mask, typeof key | undefined][] = [
      [{ rule: 'atMost', bars }, undefined],
      [{ rule: 'atMost', bars }, key],
      ...[1, k, neurons, neurons + 1].map((each): [Mask, undefined] => [
        { rule: 'largest', k: each },
        undefined,
      ]),
      ...[-0.4, 1.1, -Infinity].flatMap((quantile): [Mask, typeof key | undefined][] => [
        [{ rule: 'normal', quantile }, key],
        [{ rule: 'normal', quantile }, undefined],
        [{ rule: 'soft', quantile }, undefined],
      ]),
    ];
    for (const [mask, by] of masks) {
      const [tuned, reference] = [maskedActivations, referenceMaskedActivations].map((each) =>
        each(a, mask, by),
      );
      expect(tuned.masked.shape).toEqual(a.shape);
      const [got, expected] = [tuned, reference].map((each) => each.masked.dataSync());
      const other = got.findIndex((x, at) => !Object.is(x, expected[at]));
      expect(other, `the first entry that differs under ${JSON.stringify(mask)}`).toBe(-1);
      expect([tuned.zeros, tuned.zerosBefore]).toEqual([reference.zeros, reference.zerosBefore]);
      expect(reference.zeros).toBe(expected.filter((x) => x === 0).length);
      tf.dispose([tuned.masked, reference.masked]);
    }
    tf.dispose([a, key]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('an activation that is no number is not hidden by a mask', () => {
    const a = tf.tensor2d([NaN, 1, 3, 2, 0, -4], [1, 6]);
    const bars = new Float32Array(6).fill(2);
    const masks: Mask[] = [
      { rule: 'atMost', bars },
      { rule: 'largest', k: 2 },
      { rule: 'normal', quantile: 0 },
      { rule: 'soft', quantile: 0 },
    ];
    for (const mask of masks) {
      const { masked, zerosBefore } = maskedActivations(a, mask);
      expect(masked.dataSync()[0]).toBeNaN();
      expect(zerosBefore).toBe(2);
      masked.dispose();
    }
    a.dispose();
  });
});
