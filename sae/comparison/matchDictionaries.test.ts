import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../numerics/random.ts';
import { tf } from '../tensor/tf.ts';
import { greedyMatching } from './greedyMatching.ts';
import { matchDictionaries, type ComparedDictionary } from './matchDictionaries.ts';
import { planMemory } from './memoryPlan.ts';
import { matchedFraction, meanCosine, sharedCurve, sharedLatents } from './sharedFraction.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function randomDictionary(seed: number, latents: number, d: number): ComparedDictionary {
  const random = Random.fromSeed(seed, 'dictionary');
  return { latents, d, wEnc: random.normals(latents * d, 3), wDec: random.normals(latents * d) };
}

function permuted(from: ComparedDictionary, p: Uint32Array, scale = 1): ComparedDictionary {
  const move = (rows: Float32Array) => {
    const out = new Float32Array(rows.length);
    p.forEach((to, i) => {
      for (let k = 0; k < from.d; k++) out[to * from.d + k] = scale * rows[i * from.d + k];
    });
    return out;
  };
  return { ...from, wEnc: move(from.wEnc), wDec: move(from.wDec) };
}

const share = (flags: boolean[]) => flags.filter(Boolean).length / flags.length;

test('a permuted copy is shared whole, at every threshold, and the permutation recovered', () => {
  const a = randomDictionary(1, 300, 24);
  const p = Random.fromSeed(2).permutation(300);
  const match = matchDictionaries(a, permuted(a, p, 2.5));
  expect([...match.decoder.match]).toEqual([...p]);
  expect([...match.encoder.match]).toEqual([...p]);
  expect([...match.greedy.match]).toEqual([...p]);
  expect([...match.nearest.match]).toEqual([...p]);
  expect(match.gap).toBeLessThan(1e-9);
  const curve = sharedCurve(match);
  expect(curve.threshold).toHaveLength(101);
  for (const fraction of [curve.shared, curve.decoder, curve.encoder, curve.greedy])
    expect([...fraction]).toEqual(Array.from({ length: 101 }, () => 1));
  expect(meanCosine(match.nearest)).toBeCloseTo(1, 6);
  expect(meanCosine(match.decoder)).toBeCloseTo(1, 6);
});

test('two unrelated random dictionaries share nothing', () => {
  const match = matchDictionaries(randomDictionary(3, 400, 64), randomDictionary(4, 400, 64));
  expect(share(sharedLatents(match, 0.7))).toBe(0);
  expect(matchedFraction(match.decoder, 0.7)).toBe(0);
  expect(meanCosine(match.nearest)).toBeLessThan(0.6);
});

test('a negated copy shares nothing: sign belongs to a direction', () => {
  const a = randomDictionary(5, 50, 32);
  const p = Uint32Array.from({ length: 50 }, (_, i) => i);
  expect(share(sharedLatents(matchDictionaries(a, permuted(a, p, -1)), 0.7))).toBe(0);
});

test('a latent whose encoder goes to another counterpart than its decoder is not shared', () => {
  const a = randomDictionary(6, 40, 32);
  const b = { ...a, wEnc: a.wEnc.slice() };
  // Latents 0 and 1 of b swap encoders and keep decoders.
  b.wEnc.set(a.wEnc.subarray(32, 64), 0);
  b.wEnc.set(a.wEnc.subarray(0, 32), 32);
  const match = matchDictionaries(a, b);
  const shared = sharedLatents(match, 0.7);
  expect(shared.slice(0, 3)).toEqual([false, false, true]);
  expect(share(shared)).toBe(38 / 40);
  expect(matchedFraction(match.decoder, 0.7)).toBe(1);
});

test('the shared fraction falls with the threshold and counts both cosines', () => {
  const a = randomDictionary(7, 200, 48);
  const noise = Random.fromSeed(8);
  const blur = (rows: Float32Array, i0: number) =>
    rows.map(
      (w, at) => w + (Math.floor(at / 48) < i0 ? 0.9 : 0.05) * noise.normal() * (rows === a.wEnc ? 3 : 1),
    );
  const b = { ...a, wEnc: blur(a.wEnc, 50), wDec: blur(a.wDec, 100) };
  const match = matchDictionaries(a, b);
  const curve = sharedCurve(match);
  for (let t = 1; t <= 100; t++) {
    expect(curve.shared[t]).toBeLessThanOrEqual(curve.shared[t - 1]);
    expect(curve.shared[t]).toBeLessThanOrEqual(Math.min(curve.decoder[t], curve.encoder[t]));
  }
  expect(curve.shared[90]).toBe(0.5);
  expect(curve.encoder[90]).toBe(0.75);
  expect(curve.shared[70]).toBe(share(sharedLatents(match, 0.7)));
});

describe('different widths', () => {
  const small = randomDictionary(9, 60, 32);
  const wide = randomDictionary(10, 150, 32);
  wide.wDec.set(small.wDec, 20 * 32);
  wide.wEnc.set(small.wEnc, 20 * 32);

  test('the smaller is found whole in the larger', () => {
    const match = matchDictionaries(small, wide);
    expect([...match.decoder.match]).toEqual(Array.from({ length: 60 }, (_, i) => i + 20));
    expect(share(sharedLatents(match, 0.7))).toBe(1);
  });

  test('of the larger, only the smaller’s share is found; the surplus has no counterpart', () => {
    const match = matchDictionaries(wide, small);
    expect(match.decoder.match.filter((j) => j < 0)).toHaveLength(90);
    expect(match.greedy.match.filter((j) => j < 0)).toHaveLength(90);
    expect(share(sharedLatents(match, 0.7))).toBe(60 / 150);
    expect(meanCosine(match.decoder)).toBeCloseTo(1, 6);
  });
});

test('the sparse solver finds the same shared latents, greedy pairs and nearest rows as the dense one', () => {
  const a = randomDictionary(20, 500, 24);
  const noise = Random.fromSeed(21);
  const blur = (rows: Float32Array, scale: number) =>
    rows.map((w, at) => w + [0.1, 0.5, 4][Math.floor(at / 24) % 3] * scale * noise.normal());
  const b = { ...a, wEnc: blur(a.wEnc, 3), wDec: blur(a.wDec, 1) };
  const dense = matchDictionaries(a, b);
  const memory = planMemory({ a: 500, b: 500, d: 24 }, { denseLatents: 100 });
  const sparse = matchDictionaries(a, b, { memory });
  expect(sparse.solver).toMatch(/^auction/);
  expect(sparse.gap).toBeGreaterThan(0);
  expect(sparse.gap).toBeLessThanOrEqual(1e-3);
  expect(sharedLatents(sparse, 0.7)).toEqual(sharedLatents(dense, 0.7));
  expect(share(sharedLatents(dense, 0.7))).toBeGreaterThan(0.3);
  expect([...sparse.nearest.match]).toEqual([...dense.nearest.match]);
  const strong = (match: typeof dense) =>
    [...match.greedy.match].filter((_, i) => dense.greedy.cosine[i] > 0.5);
  expect(strong(sparse)).toEqual(strong(dense));
  expect(meanCosine(sparse.decoder)).toBeCloseTo(meanCosine(dense.decoder), 3);
});

test('a latent with a decoder of zeros has cosine 0 with everything and is not shared', () => {
  const a = randomDictionary(11, 30, 16);
  a.wDec.fill(0, 0, 16);
  const match = matchDictionaries(a, a);
  expect(match.nearest.cosine[0]).toBe(0);
  expect(sharedLatents(match, 0.7).indexOf(false)).toBe(0);
  expect(share(sharedLatents(match, 0.7))).toBe(29 / 30);
});

test('weights that are not finite are refused by name', () => {
  const a = randomDictionary(12, 5, 4);
  const b = { ...a, wDec: a.wDec.slice() };
  b.wDec[9] = NaN;
  expect(() => matchDictionaries(a, b, { names: ['first/0', 'second/1'] })).toThrow(
    /Row 2 of the decoder of second\/1/,
  );
});

test('greedy matching takes pairs in the order a sort of all pairs would', () => {
  const random = Random.fromSeed(15);
  for (const [rows, columns] of [
    [20, 20],
    [12, 30],
    [30, 12],
  ]) {
    for (const tied of [false, true]) {
      const data = Float32Array.from({ length: rows * columns }, () =>
        tied ? random.below(4) : random.uniform(),
      );
      const order = Array.from(data.keys()).sort((p, q) => data[q] - data[p] || p - q);
      const expected = new Int32Array(rows).fill(-1);
      const taken = new Set<number>();
      for (const at of order) {
        const [i, j] = [Math.floor(at / columns), at % columns];
        if (expected[i] >= 0 || taken.has(j)) continue;
        expected[i] = j;
        taken.add(j);
      }
      expect([...greedyMatching({ rows, columns, data })]).toEqual([...expected]);
    }
  }
});
