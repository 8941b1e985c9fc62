/**
 * Every fused native kernel against the reference kernel: the cases of all backends, with screening everywhere and nowhere, and what is
 * particular to this one. Where inputs are small integers all arithmetic is exact in any order, so choices (with ties everywhere) and values must
 * be equal to the bit.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { type ComputedVector, hostNumber } from '../../ops/computed.ts';
import { describeFusedKernels } from '../../fixtures/fusedCases.ts';
import { gradientRequest, Inputs } from '../../fixtures/fusedInputs.ts';
import type { BatchChoice, DictionaryTensors, Encoder, FusedKernels } from '../../ops/fusedKernels.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import { preActivations } from '../../ops/denseActivations.ts';
import { referenceKernels } from '../../ops/referenceKernels.ts';
import { type Entries, firingEntries, type SparseEntries, sparseEntries } from '../../ops/sparseEntries.ts';
import { Random } from '../../numerics/random.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { fusedDefaults, nativeFusedKernels } from './fused.ts';
import { nativeLibrary } from './library.ts';
import type { NativeBackend } from './nativeBackend.ts';

let native: FusedKernels;
let screened: FusedKernels[] = [];
beforeAll(async () => {
  await startBackend('native', { threads: 2 });
  native = fusedKernels();
  expect(native.backend).toBe('native');
  const library = await nativeLibrary();
  const backend = tf.backend() as unknown as NativeBackend;
  screened = (['never', 'always'] as const).map((screening) =>
    nativeFusedKernels(backend, library, { ...fusedDefaults, screening }),
  );
});

const random = Random.fromSeed(1);
const normals = (shape: number[], scale = 1) =>
  tf.tensor(
    random.normals(
      shape.reduce((a, b) => a * b),
      scale,
    ),
    shape,
  );
/** Uniform on −range … range. */
const integers = (shape: number[], range = 3) =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.below(2 * range + 1) - range),
    shape,
  );
const matrix = (make: (shape: number[]) => Tensor, rows: number, columns: number) =>
  make([rows, columns]) as Tensor2D;
const vector = (make: (shape: number[]) => Tensor, length: number) => make([length]) as Tensor1D;
const encoder = (make: (shape: number[]) => Tensor, latents: number, d: number, centre = true): Encoder => ({
  wEnc: matrix(make, latents, d),
  bEnc: vector(make, latents),
  centre: centre ? vector(make, d) : null,
});
const arrays = ({ rowStart, indices, values }: SparseEntries) => ({
  rowStart: [...rowStart.dataSync()],
  indices: [...indices.dataSync()],
  values: [...values.dataSync()],
});
const asTensor = (values: ComputedVector<Float32Array>) =>
  values instanceof tf.Tensor ? values : tf.tensor1d(values);
/** Largest difference, relative to the largest number where that exceeds 1. */
function difference(a: Tensor | null, b: Tensor | null): number {
  const [x, y] = [a?.dataSync() ?? [], b?.dataSync() ?? []];
  expect(x.length).toBe(y.length);
  let [worst, size] = [0, 1];
  for (let i = 0; i < x.length; i++) {
    if (Number.isNaN(x[i]) && Number.isNaN(y[i])) continue;
    worst = Math.max(worst, Number.isNaN(x[i] - y[i]) ? Infinity : Math.abs(x[i] - y[i]));
    size = Math.max(size, Math.abs(y[i]) || 0);
  }
  return worst / size;
}

/** rows, d, latents, k: ones, primes, k = latents, whole and broken tiles, more rows than a block. */
const shapes = [
  [1, 1, 1, 1],
  [1, 7, 16, 3],
  [3, 5, 31, 31],
  [5, 13, 97, 7],
  [67, 29, 131, 11],
  [200, 16, 257, 64],
  [33, 300, 48, 48],
  [1000, 8, 64, 5],
] as const;

describe('batchTopKEncode', () => {
  const chosen = ({ entries, least }: BatchChoice) => ({ ...arrays(entries), least: hostNumber(least) });

  test.each(shapes)(
    '%i rows, d = %i, %i latents, k = %i: exact, ties by lower row and latent, wherever the search begins',
    (rows, d, latents, k) => {
      const x = matrix(integers, rows, d);
      const e = encoder(integers, latents, d);
      for (const count of [1, rows * k, rows * latents]) {
        const want = chosen(referenceKernels.batchTopKEncode(x, e, { count }));
        for (const near of [undefined, 0, want.least, want.least / 3, 1e-3, 1e6])
          expect(chosen(native.batchTopKEncode(x, e, { count, near }))).toEqual(want);
      }
    },
  );

  test('rows of very different sizes share what is kept, and none may get anything', () => {
    const scale = tf.tensor2d([[100], [1], [0.01], [10]]);
    const x = matrix(normals, 4, 24).mul<Tensor2D>(scale);
    const e = { ...encoder(normals, 3000, 24, false), bEnc: tf.zeros([3000]) as Tensor1D };
    const [a, b] = [native, referenceKernels].map((kernels) =>
      chosen(kernels.batchTopKEncode(x, e, { count: 2000 })),
    );
    expect(a.rowStart).toEqual(b.rowStart);
    expect(a.indices).toEqual(b.indices);
    expect(a.rowStart[4]).toBe(2000);
    expect(a.rowStart[3] - a.rowStart[2]).toBe(0);
    expect(a.least).toBeCloseTo(b.least, 3);
    expect(a.least).toBe(Math.min(...a.values));
  });
});

describe('topKEncode', () => {
  test.each(shapes)(
    '%i rows, d = %i, %i latents, k = %i: exact, ties by lower latent',
    (rows, d, latents, k) => {
      const x = matrix(integers, rows, d);
      const e = encoder(integers, latents, d);
      expect(arrays(native.topKEncode(x, e, k))).toEqual(arrays(referenceKernels.topKEncode(x, e, k)));
      const among = Int32Array.from({ length: latents }, (_, i) => i).filter((i) => i % 3 !== 1);
      const some = Math.min(k, among.length);
      expect(arrays(native.topKEncode(x, e, some, among))).toEqual(
        arrays(referenceKernels.topKEncode(x, e, some, among)),
      );
    },
  );

  test('many latents and real numbers: what was chosen is what the same product ranks highest', () => {
    const x = matrix(normals, 8, 24);
    const e = encoder(normals, 3000, 24);
    const got = arrays(native.topKEncode(x, e, 32));
    const z = preActivations(x, e).arraySync();
    z.forEach((row, b) => {
      const order = row.map((value, i) => [value, i] as const).sort((p, q) => q[0] - p[0]);
      const chosen = new Set(got.indices.slice(b * 32, (b + 1) * 32));
      const kth = order[31][0];
      for (const [value, i] of order)
        if (Math.abs(value - kth) > 1e-5) expect(chosen.has(i)).toBe(value > kth);
      got.values.slice(b * 32, (b + 1) * 32).forEach((value, j) => {
        expect(value).toBeCloseTo(row[got.indices[b * 32 + j]], 4);
      });
    });
  });

  /** z = x·w + b with d = 1, x = 1, w = 0: pre-activations at will. */
  function encodeRow(z: number[], k: number) {
    const e = { wEnc: tf.zeros([z.length, 1]) as Tensor2D, bEnc: tf.tensor1d(z), centre: null };
    const x = tf.ones([2, 1]) as Tensor2D;
    const [a, b] = [native, referenceKernels].map((kernels) => arrays(kernels.topKEncode(x, e, k)));
    expect(a).toEqual(b);
    return { indices: a.indices.slice(0, k), values: a.values.slice(0, k) };
  }

  test('subnormal numbers are positive numbers', () => {
    const tiny = 2 ** -149;
    expect(encodeRow([0, tiny, 2 * tiny, -tiny, tiny], 3)).toEqual({
      indices: [1, 2, 4],
      values: [tiny, 2 * tiny, tiny],
    });
  });
  test('ascending rows replace everything they had chosen', () => {
    const z = Array.from({ length: 700 }, (_, i) => i + 1);
    expect(encodeRow(z, 5).indices).toEqual([695, 696, 697, 698, 699]);
  });
});

describe('thresholdEncode', () => {
  const firing = (found: Entries, threshold: Tensor1D | null) => arrays(firingEntries(found, threshold));

  test.each(shapes)('%i rows, d = %i, %i latents: the latents above their thresholds', (rows, d, latents) => {
    const x = matrix(integers, rows, d);
    for (const shift of [0, -30]) {
      // Shifted down, few fire and the list is taken; else the matrix.
      const wide = encoder(integers, latents, d, false);
      const e = { ...wide, bEnc: wide.bEnc.add<Tensor1D>(shift) };
      for (const threshold of [null, tf.range(0, latents).mod<Tensor1D>(4).add<Tensor1D>(1)]) {
        const selection = { threshold, bandwidth: 0 };
        expect(firing(native.thresholdEncode(x, e, selection), threshold)).toEqual(
          firing(referenceKernels.thresholdEncode(x, e), threshold),
        );
      }
    }
  });

  test('few firings make a list, with the entries just below θ; many make the matrix', () => {
    const x = matrix(normals, 300, 20);
    const e = encoder((shape) => normals(shape, 0.1), 500, 20, false);
    const threshold = tf.mul(tf.ones([500]), 1) as Tensor1D;
    const found = native.thresholdEncode(x, e, { threshold, bandwidth: 0.5 });
    if (found.kind !== 'sparse') throw new Error('expected a list');
    const { indices, values, rowStart } = arrays(found);
    // Those in the window that don't fire are at θ.
    expect(Math.min(...values)).toBe(1);
    for (let b = 0; b < 300; b++) {
      const own = indices.slice(rowStart[b], rowStart[b + 1]);
      expect(own).toEqual([...own].sort((p, q) => p - q));
    }
    const all = preActivations(x, e)
      .dataSync()
      .filter((z) => z > 0.75);
    expect(Math.abs(all.length - values.length)).toBeLessThan(3);
    expect(native.thresholdEncode(x, e, { threshold: null, bandwidth: 0 }).kind).toBe('dense');
  });

  test('rows that fire densely after a sparse sample fall back to the matrix', () => {
    const quiet = tf.zeros([64, 4]);
    const loud = tf.ones([150, 4]);
    const e = {
      wEnc: tf.ones([130, 4]) as Tensor2D,
      bEnc: tf.mul(tf.ones([130]), -1) as Tensor1D,
      centre: null,
    };
    const x = tf.concat([quiet, loud]) as Tensor2D;
    const found = native.thresholdEncode(x, e, { threshold: null, bandwidth: 0 });
    expect(found.kind).toBe('dense');
    expect(firing(found, null)).toEqual(firing(referenceKernels.thresholdEncode(x, e), null));
  });

  test('a row may fire everywhere while the others are silent; NaN fires', () => {
    const x = tf.concat([tf.zeros([400, 4]), tf.ones([1, 4]), tf.mul(tf.ones([1, 4]), NaN)]) as Tensor2D;
    const e = {
      wEnc: tf.ones([700, 4]) as Tensor2D,
      bEnc: tf.mul(tf.ones([700]), -1) as Tensor1D,
      centre: null,
    };
    const found = native.thresholdEncode(x, e, { threshold: null, bandwidth: 0 });
    expect(found.kind).toBe('sparse');
    expect(firing(found, null)).toEqual(firing(referenceKernels.thresholdEncode(x, e), null));
  });
});

/** Random entries, a share of which is below the threshold. */
function randomEntries(rows: number, latents: number, density: number): SparseEntries {
  const rowStart = new Int32Array(rows + 1);
  const indices: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < latents; i++) if (random.uniform() < density) indices.push(i);
    rowStart[row + 1] = indices.length;
  }
  return sparseEntries(latents, rowStart, Int32Array.from(indices), random.normals(indices.length));
}

describe.each([[200, 16, 257] as const, [1000, 8, 64] as const, [700, 70, 300] as const])(
  'products with a sparse matrix: %i rows, d = %i, %i latents',
  (rows, d, latents) => {
    const entries = () => randomEntries(rows, latents, 0.2);
    test('sparseDecode, sparseDots, sparseOuter', () => {
      const s = entries();
      const [w, g] = [matrix(normals, latents, d), matrix(normals, rows, d)];
      expect(difference(native.sparseDecode(s, w), referenceKernels.sparseDecode(s, w))).toBeLessThan(1e-5);
      expect(difference(native.sparseDots(s, g, w), referenceKernels.sparseDots(s, g, w))).toBeLessThan(1e-5);
      expect(difference(native.sparseOuter(s, g), referenceKernels.sparseOuter(s, g))).toBeLessThan(1e-5);
    });

    test.each(['list', 'matrix'] as const)('firings and reconstruct from a %s', (form) => {
      const z: Entries =
        form === 'list'
          ? entries()
          : { kind: 'dense', rows, latents, values: matrix(normals, rows, latents) };
      const [wDec, bias, target] = [
        matrix(normals, latents, d),
        vector(normals, d),
        matrix(normals, rows, d),
      ];
      for (const threshold of [null, tf.abs(vector(normals, latents)) as Tensor1D]) {
        const [a, b] = [native, referenceKernels].map((kernels) => kernels.firings(z, threshold));
        expect(a.counts).toEqual(b.counts);
        expect(difference(asTensor(a.sums), asTensor(b.sums))).toBeLessThan(1e-5);
        for (const decoder of [
          { wDec, bias },
          { wDec, bias: null },
        ]) {
          const [p, q] = [native, referenceKernels].map((kernels) =>
            kernels.reconstruct(z, threshold, decoder, target),
          );
          expect(difference(p.error, q.error)).toBeLessThan(1e-5);
          expect(difference(p.dots, q.dots)).toBeLessThan(1e-5);
          expect(Math.abs(hostNumber(p.squaredError) / hostNumber(q.squaredError) - 1)).toBeLessThan(1e-5);
        }
      }
    });
  },
);

const names = ['wEnc', 'bEnc', 'wDec', 'bDec', 'logThreshold'] as const;

test.each([
  ['ReLU, matrix', { form: 'matrix', l1: 0.2 }],
  ['TopK with AuxK', { form: 'list', auxiliary: true }],
  ['JumpReLU, list', { form: 'list', jump: true, subtract: false }],
] as const)('%s: gradients of many rows; to ask for them changes nothing', (_, options) => {
  const { made } = gradientRequest(new Inputs(), [900, 40, 130], options);
  const [got, want] = [native.gradients(made), referenceKernels.gradients(made)];
  for (const name of names) expect(difference(got[name], want[name])).toBeLessThan(2e-5);
  for (const name of names) expect(difference(native.gradients(made)[name], got[name])).toBe(0);
});

test('one thread and two give the same bits', async () => {
  const { made } = gradientRequest(new Inputs(), [900, 40, 130], { form: 'list', l1: 0.1 });
  const x = matrix(normals, 900, 40);
  const e = encoder(normals, 130, 40);
  const both: { gradients: DictionaryTensors; code: SparseEntries }[] = [];
  for (const threads of [1, 2]) {
    await startBackend('native', { threads });
    both.push({ gradients: native.gradients(made), code: native.topKEncode(x, e, 9) });
  }
  for (const name of names) expect(difference(both[0].gradients[name], both[1].gradients[name])).toBe(0);
  expect(arrays(both[0].code)).toEqual(arrays(both[1].code));
});

// They change backends, and so come last.
describeFusedKernels({ backend: 'native', others: () => screened });
