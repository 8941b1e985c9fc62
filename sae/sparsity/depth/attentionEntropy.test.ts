import { beforeAll, expect, test } from 'vitest';
import { attentionEntropySums } from '../../ops/attentionEntropySums.ts';
import { tf, type Tensor2D } from '../../tensor/tf.ts';
import { AttentionEntropy } from './attentionEntropy.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Entropy sums of one context in which head h gives key k of query q the attention p(h, q, k). */
function sums(heads: number, seq: number, p: (head: number, query: number, key: number) => number): Tensor2D {
  const values = Float32Array.from({ length: heads * seq * seq }, (_, at) =>
    p(Math.floor(at / (seq * seq)), Math.floor(at / seq) % seq, at % seq),
  );
  return attentionEntropySums(tf.tensor4d(values, [1, heads, seq, seq]));
}

test('a uniform head has entropy 1, a head that looks at one place 0', () => {
  const entropy = new AttentionEntropy(2);
  const seq = 7;
  entropy.add(
    sums(2, seq, (head, query, key) =>
      head === 0 ? (key <= query ? 1 / (query + 1) : 0) : key === query ? 1 : 0,
    ),
    seq,
  );
  expect(entropy.byHead()[0]).toBeCloseTo(1, 6);
  expect(entropy.byHead()[1]).toBeCloseTo(0, 12);
  expect(entropy.overload()).toBe(0.5);
});

test('batches average, and each query is held to the positions it can see', () => {
  const entropy = new AttentionEntropy(1);
  // Query 1 splits evenly over its two positions: 1. Query 2 does so over two of three: log 2 / log 3.
  const half = sums(1, 3, (_, query, key) => (query === 0 ? Number(key === 0) : key < 2 ? 0.5 : 0));
  entropy.add(half, 3);
  const expected = (1 + Math.log(2) / Math.log(3)) / 2;
  expect(entropy.byHead()[0]).toBeCloseTo(expected, 6);
  entropy.add(
    sums(1, 3, (_, query, key) => Number(key === query)),
    3,
  );
  expect(entropy.byHead()[0]).toBeCloseTo(expected / 2, 6);
});
