import { expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { referenceMaskedActivations } from '../../ops/maskedActivations.ts';
import { tf } from '../../tensor/tf.ts';
import {
  circaRule,
  contributionRule,
  fatReluRule,
  magnitudeRule,
  randomRule,
  sparkRule,
  topKRule,
  type MaskingRule,
} from './maskingRule.ts';

const relu = (x: Float32Array) => x.map((value) => Math.max(0, value));
function apply(
  rule: MaskingRule,
  pre: Float32Array,
  neurons: number,
  { layer = 0, a = relu(pre) }: { layer?: number; a?: Float32Array } = {},
) {
  if (typeof rule === 'function') {
    const changed = a.slice();
    rule({ a: changed, pre, act: a, neurons, layer });
    return changed;
  }
  return tf.tidy(() => {
    const given = tf.tensor2d(a, [a.length / neurons, neurons]);
    const keys = { pre: () => tf.tensor2d(pre, given.shape), act: () => given };
    const key = rule.key && keys[rule.key]();
    return referenceMaskedActivations(given, rule.mask(layer, neurons), key)
      .masked.dataSync<'float32'>()
      .slice();
  });
}
const firing = (a: Float32Array) => a.filter((value) => value !== 0).length;

test('top-k keeps exactly k of each token, the largest in magnitude; of equals those that come first', () => {
  const random = Random.fromSeed(2);
  const [tokens, neurons] = [20, 50];
  const a = random.normals(tokens * neurons);
  for (const k of [1, 7, 50]) {
    const kept = apply(topKRule(k), a, neurons, { a });
    for (let row = 0; row < a.length; row += neurons) {
      const before = a.subarray(row, row + neurons);
      const after = kept.subarray(row, row + neurons);
      expect(firing(after)).toBe(k);
      const weakest = Math.min(...[...after].filter((x) => x !== 0).map(Math.abs));
      const strongestMasked = Math.max(0, ...[...before].filter((_, i) => after[i] === 0).map(Math.abs));
      expect(weakest).toBeGreaterThanOrEqual(strongestMasked);
    }
  }
  const ties = Float32Array.of(1, -1, 1, 0.5);
  expect([...apply(topKRule(2), ties, 4, { a: ties })]).toEqual([1, -1, 0, 0]);
});

test('Spark’s threshold keeps k ± 5 % of Gaussian pre-activations, and leaves what stays as it is', () => {
  const [tokens, neurons] = [40, 4096];
  const pre = Random.fromSeed(3).normals(tokens * neurons);
  for (const k of [128, 512, 1500]) {
    const kept = apply(sparkRule(k), pre, neurons);
    expect(Math.abs(firing(kept) / tokens / k - 1)).toBeLessThan(0.05);
    expect(kept.every((value, at) => value === 0 || value === pre[at])).toBe(true);
  }
});

test('thresholds: CETT’s on |a|·n by layer, TEAL’s on |a| by layer, FATReLU’s on the signed activation', () => {
  const a = Float32Array.of(1, -2, 3, -4);
  const norms = [Float64Array.of(1, 1, 1, 1), Float64Array.of(10, 1, 1, 0.1)];
  expect([...apply(contributionRule([2, 2], norms), a, 4, { a })]).toEqual([0, 0, 3, -4]);
  expect([...apply(contributionRule([2, 2], norms), a, 4, { a, layer: 1 })]).toEqual([1, 0, 3, 0]);
  expect([...apply(contributionRule([0, 0], norms), a, 4, { a })]).toEqual([...a]);
  expect(firing(apply(contributionRule([Infinity, 0], norms), a, 4, { a }))).toBe(0);
  expect([...apply(magnitudeRule([3, 0]), a, 4, { a })]).toEqual([0, 0, 0, -4]);
  expect([...apply(fatReluRule(1), a, 4, { a })]).toEqual([0, 0, 3, 0]);
});

test('CETT’s bars on |a| decide every entry as the product with the norm in double precision does', () => {
  const random = Random.fromSeed(7);
  const [tokens, neurons] = [50, 200];
  const norms = Float64Array.from({ length: neurons }, (_, i) =>
    i === 3 ? 0 : Math.exp(3 * random.normal()),
  );
  const a = random.normals(tokens * neurons);
  // Thresholds that entries meet exactly are the hard ones.
  for (const at of [5, 77, 1203, 9000]) {
    const threshold = Math.abs(a[at]) * norms[at % neurons];
    const kept = apply(contributionRule([threshold], [norms]), a, neurons, { a });
    expect([...kept]).toEqual(
      Array.from(a, (x, i) => (Math.abs(x) * norms[i % neurons] <= threshold ? 0 : x)),
    );
    expect(kept[at]).toBe(0);
  }
  expect([...apply(contributionRule([-1], [norms]), a, neurons, { a })]).toEqual([...a]);
});

test('the random control masks the given share of the neurons that fire', () => {
  const pre = Random.fromSeed(4).normals(40_000);
  const before = firing(relu(pre));
  const kept = apply(randomRule(0.3, Random.fromSeed(5)), pre, 100);
  expect(firing(kept) / before).toBeCloseTo(0.7, 1);
});

test('Circa’s sign faults: none beyond the width, and within it as likely as the input is near 0', () => {
  const width = 2;
  for (const [x, share] of [
    [0.2, 0.1],
    [1, 0.5],
    [1.8, 0.9],
    [2.5, 1],
  ]) {
    const pre = new Float32Array(20_000).fill(x);
    const kept = apply(circaRule(width, Random.fromSeed(6)), pre, 100);
    expect(Math.abs(firing(kept) / 20_000 - share)).toBeLessThan(0.02);
  }
});
