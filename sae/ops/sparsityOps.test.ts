import { beforeAll, describe, expect, test } from 'vitest';
import { probeBackends, startBackend } from '../backends/startBackend.ts';
import { Random } from '../tensor/random.ts';
import { tf, type Tensor4D } from '../tensor/tf.ts';
import { attentionEntropySums, referenceAttentionEntropySums } from './attentionEntropySums.ts';
import { firingCounts, referenceFiringCounts } from './firingCounts.ts';

const probe = (await probeBackends()).find(({ name }) => name === 'native');

describe.skipIf(!probe?.works)('the native kernels agree with the reference', () => {
  beforeAll(async () => {
    await startBackend('native');
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
    // Values at the thresholds themselves, of either sign.
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

  test.each([2, 7, 33])('attention entropy of contexts of %i', (seq) => {
    const pattern = tf.tidy(() => {
      const scores = tf.tensor4d(Random.fromSeed(seq).normals(2 * 3 * seq * seq, 3), [2, 3, seq, seq]);
      const mask = tf.linalg.bandPart(tf.ones([seq, seq]), -1, 0);
      return tf.softmax(scores.sub(tf.sub(1, mask).mul(1e9))) as Tensor4D;
    });
    const reference = referenceAttentionEntropySums(pattern);
    attentionEntropySums(pattern).forEach((sum, head) => expect(sum).toBeCloseTo(reference[head], 4));
    pattern.dispose();
  });
});
