import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { tf } from '../../tensor/tf.ts';
import { Cett } from './cett.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});
let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors);
});

/** Neuron i writes along axis i: nothing cancels. */
function axes(...norms: number[]): Float32Array {
  const n = norms.length;
  return Float32Array.from({ length: n * n }, (_, at) =>
    at % (n + 1) === 0 ? norms[Math.floor(at / n)] : 0,
  );
}

test('CETT of 0 is 0 and of infinity is 1', () => {
  const random = Random.fromSeed(1);
  const a = random.normals(40 * 30).map((x) => Math.max(0, x));
  const cett = new Cett(a, random.normals(30 * 8), { neurons: 30, d: 8 });
  expect(cett.at(0)).toBe(0);
  expect(cett.at(Infinity)).toBe(1);
  const curve = cett.curve();
  expect(curve[0].threshold).toBe(0);
  expect(curve[0].cett).toBe(0);
  expect(curve[0].activeRatio).toBeCloseTo(a.filter((x) => x > 0).length / a.length, 12);
  expect(curve[curve.length - 1]).toMatchObject({ cett: 1, activeRatio: 0 });
});

test('the error of a hand-made layer is what a pencil gives', () => {
  // Contributions 3 · 1 = 3 and 2 · 2 = 4: with τ = 3.5 the first is masked, and 3 of 5 is lost.
  const cett = new Cett(Float32Array.of(3, 2), axes(1, 2), { neurons: 2, d: 2 });
  expect(cett.at(2.9)).toBe(0);
  expect(cett.at(3.5)).toBeCloseTo(3 / 5, 6);
  expect(cett.at(4)).toBe(1);
  expect(cett.activeRatio(3.5)).toBe(0.5);
  expect(cett.thresholdMasking(0.5)).toBe(3);
});

test('CETT is what masking the weak contributions and multiplying gives', () => {
  const random = Random.fromSeed(5);
  const [tokens, neurons, d] = [9, 25, 6];
  const a = random.normals(tokens * neurons).map((x, at) => (at % 4 === 0 ? 0 : x));
  const outputs = random.normals(neurons * d);
  const norm = (t: number, kept: (a: number, neuron: number) => boolean) => {
    const y = new Float64Array(d);
    for (let i = 0; i < neurons; i++)
      if (kept(a[t * neurons + i], i))
        for (let k = 0; k < d; k++) y[k] += a[t * neurons + i] * outputs[i * d + k];
    return Math.hypot(...y);
  };
  const cett = new Cett(a, outputs, { neurons, d });
  for (const share of [0.3, 0.5, 0.8, 0.97]) {
    const threshold = cett.thresholdMasking(share);
    let sum = 0;
    for (let t = 0; t < tokens; t++) {
      const weak = (x: number, i: number) =>
        Math.fround(Math.abs(x) * Math.hypot(...outputs.subarray(i * d, (i + 1) * d))) <= threshold;
      sum += norm(t, weak) / norm(t, () => true);
    }
    expect(cett.at(threshold)).toBeCloseTo(sum / tokens, 6);
    expect(1 - cett.activeRatio(threshold)).toBeGreaterThanOrEqual(share);
  }
});

test('weak neurons that write opposite things cost less together than apart', () => {
  const outputs = Float32Array.of(1, 0, -1, 0, 0, 1);
  const cett = new Cett(Float32Array.of(1, 1.1, 5), outputs, { neurons: 3, d: 2 });
  expect(cett.at(1)).toBeGreaterThan(cett.at(1.5));
});

test('the curve is monotone where neurons write along different axes', () => {
  const random = Random.fromSeed(2);
  const cett = new Cett(random.normals(64 * 20), axes(...random.normals(20).map(Math.abs)), {
    neurons: 20,
    d: 20,
  });
  const curve = cett.curve();
  expect(curve).toHaveLength(27);
  for (let p = 1; p < curve.length; p++) {
    expect(curve[p].threshold).toBeGreaterThan(curve[p - 1].threshold);
    expect(curve[p].cett).toBeGreaterThan(curve[p - 1].cett);
    expect(curve[p].activeRatio).toBeLessThan(curve[p - 1].activeRatio);
  }
});

test('the curve is fine where the error is: among the few strongest entries', () => {
  const random = Random.fromSeed(4);
  const a = random.normals(200 * 40);
  const cett = new Cett(a, axes(...random.normals(40).map(Math.abs)), { neurons: 40, d: 40 });
  const curve = cett.curve();
  const strongest = curve.filter(({ activeRatio }) => activeRatio > 0 && activeRatio < 0.05);
  expect(strongest.length).toBeGreaterThanOrEqual(6);
  for (let p = 1; p < curve.length; p++) expect(curve[p].cett - curve[p - 1].cett).toBeLessThan(0.3);
});

test('bisection ends at the last contribution that may be masked', () => {
  const random = Random.fromSeed(3);
  const a = random.normals(32 * 50);
  const cett = new Cett(a, axes(...random.normals(50).map(Math.abs)), { neurons: 50, d: 50 });
  for (const target of [0.01, 0.2, 0.5, 0.9]) {
    const found = cett.solve(target);
    expect(found.cett).toBeLessThanOrEqual(target);
    const next = cett.thresholdMasking(1 - found.activeRatio + 1 / a.length);
    expect(next).toBeGreaterThan(found.threshold);
    expect(cett.at(next)).toBeGreaterThan(target);
  }
  expect(cett.solve(1).activeRatio).toBe(0);
});

test('bisection among tied contributions ends', () => {
  const cett = new Cett(
    Float32Array.from({ length: 40 }, (_, at) => 1 + (at % 2)),
    axes(1, 1, 1, 1),
    {
      neurons: 4,
      d: 4,
    },
  );
  // Two of four neurons at 1 and two at 2: √2/√10 of the output is in the weak ones.
  expect(cett.solve(0.2).activeRatio).toBe(1);
  expect(cett.solve(0.5)).toMatchObject({ threshold: 1, activeRatio: 0.5 });
});

test('tokens without output are left out of the mean', () => {
  const cett = new Cett(Float32Array.of(0, 0, 3, 4), axes(1, 1), { neurons: 2, d: 2 });
  expect(cett.at(3)).toBeCloseTo(3 / 5, 6);
});
