/**
 * Every fused CUDA kernel, on the device in software unless LAZYSCOPE_CUDA_DEVICE names another, against the reference kernel on TF.js's plain backend. Where inputs are small integers all
 * arithmetic is exact in any order, so choices (with ties everywhere) and values must be equal to the bit. Every case runs on all
 * rows at once and on blocks of few, to the same bits.
 */
import { describe, expect, test, vi } from 'vitest';
import { type Computed, type ComputedVector, hostNumber } from '../../ops/computed.ts';
import type { BatchChoice, FusedKernels } from '../../ops/fusedKernels.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import { type Entries, firingEntries } from '../../ops/sparseEntries.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import { gradientRequest, Inputs, listed } from '../../fixtures/fusedInputs.ts';
import { startBackend } from '../startBackend.ts';
import type { CudaBackend } from './cudaBackend.ts';
import { cudaFusedKernels } from './fused.ts';

process.env.LAZYSCOPE_CUDA_DEVICE ??= 'software';

type Result = Tensor | Computed | ComputedVector<Int32Array | Float32Array> | null;
type Case = (kernels: FusedKernels, inputs: Inputs) => Record<string, Result>;

async function outputs(
  backend: 'cpu' | 'cuda',
  run: Case,
  table?: FusedKernels | null,
): Promise<Record<string, number[] | null>> {
  await startBackend(backend);
  const kernels = table ?? fusedKernels();
  expect(kernels.backend).toBe(backend === 'cpu' ? 'reference' : 'cuda');
  const made = run(kernels, new Inputs());
  return Object.fromEntries(
    Object.entries(made).map(([name, value]) => {
      if (value === null) return [name, null];
      if (typeof value === 'number') return [name, [value]];
      return [name, Array.from(value instanceof tf.Tensor ? value.dataSync() : value)];
    }),
  );
}

/** The same kernels, choosing from small blocks of rows, and with screening wherever it is possible or nowhere. */
let others: FusedKernels[] | null = null;

/** `tolerance` is the largest difference allowed, relative to the largest number if that exceeds 1; 0 requires the same bits. */
async function expectSame(run: Case, tolerance: number): Promise<void> {
  const want = await outputs('cpu', run);
  const got = await outputs('cuda', run);
  others ??= (['never', 'always'] as const).map((screening) =>
    cudaFusedKernels(tf.backend() as CudaBackend, { blockBytes: 2048, screening }),
  );
  for (const table of others) expect(await outputs('cuda', run, table)).toEqual(got);
  expect(Object.keys(got)).toEqual(Object.keys(want));
  for (const [name, expected] of Object.entries(want)) {
    const actual = got[name];
    if (tolerance === 0 || !expected || !actual) {
      expect({ [name]: actual }).toEqual({ [name]: expected });
      continue;
    }
    expect(actual.length).toBe(expected.length);
    const size = expected.reduce((most, value) => Math.max(most, Math.abs(value) || 0), 1);
    const off = actual.findIndex((value, i) => {
      const difference = Math.abs(value - expected[i]);
      return !(difference <= tolerance * size || (Number.isNaN(value) && Number.isNaN(expected[i])));
    });
    if (off >= 0) expect.fail(`${name}[${off}] is ${actual[off]}, the reference has ${expected[off]}`);
  }
}

/** A quarter of the thresholds is NaN, and so is the last row, which alone fires the latents that have them. */
const nanThresholds =
  (shift: number): Case =>
  (kernels, inputs) => {
    const x = tf.concat([inputs.integers<Tensor2D>([90, 8]), tf.mul(tf.ones([1, 8]), NaN)]) as Tensor2D;
    const wide = inputs.encoder(70, 8, 'integers', false);
    const encoder = { ...wide, bEnc: wide.bEnc.add<Tensor1D>(shift) };
    const threshold = tf.tensor1d(Array.from({ length: 70 }, (_, i) => [NaN, -3, 0, 2][i % 4] + shift / 2));
    const found = kernels.thresholdEncode(x, encoder, { threshold, bandwidth: 0 });
    const { counts } = kernels.firings(found, threshold);
    return {
      counts: counts instanceof Int32Array ? tf.tensor1d(counts) : counts,
      ...listed(firingEntries(found, threshold)),
    };
  };

/** rows, d, latents, k: ones, primes, k = latents, whole and partial tiles, more latents than one round of a kernel reads. */
const shapes = [
  [1, 1, 1, 1],
  [3, 5, 31, 31],
  [70, 32, 131, 11],
  [7, 300, 48, 48],
  [5, 16, 4500, 40],
] as const;

describe('on the device', () => {
  // Each kernel is compiled for each width, on a machine that may be busy.
  vi.setConfig({ testTimeout: 240_000 });

  describe('batchTopKEncode', () => {
    const chosen = ({ entries, least }: BatchChoice) => ({ ...listed(firingEntries(entries, null)), least });
    test.each(shapes)(
      '%i rows, d = %i, %i latents, k = %i: exact, ties by lower row and latent',
      async (rows, d, latents, k) => {
        for (const count of [1, rows * k, rows * latents])
          await expectSame((kernels, inputs) => {
            const x = inputs.integers<Tensor2D>([rows, d]);
            return chosen(kernels.batchTopKEncode(x, inputs.encoder(latents, d, 'integers'), { count }));
          }, 0);
      },
    );

    test('nothing positive, and values that are not finite', async () => {
      for (const values of [
        [-1, 0, -3],
        [NaN, 2, -1],
        [Infinity, 2, 2],
        [-Infinity, 1, NaN],
      ])
        await expectSame((kernels) => {
          const encoder = { wEnc: tf.zeros([3, 1]) as Tensor2D, bEnc: tf.tensor1d(values), centre: null };
          return chosen(kernels.batchTopKEncode(tf.ones([4, 1]) as Tensor2D, encoder, { count: 6 }));
        }, 0);
    });
  });

  describe('topKEncode', () => {
    test.each(shapes)(
      '%i rows, d = %i, %i latents, k = %i: exact, ties by lower latent',
      async (rows, d, latents, k) => {
        const chosen = Int32Array.from({ length: latents }, (_, i) => i).filter((i) => i % 3 !== 1);
        for (const among of [undefined, chosen])
          await expectSame((kernels, inputs) => {
            const x = inputs.integers<Tensor2D>([rows, d]);
            const encoder = inputs.encoder(latents, d, 'integers');
            return listed(kernels.topKEncode(x, encoder, Math.min(k, (among ?? chosen).length), among));
          }, 0);
      },
    );

    test.each([
      ['all negative: zeros at the lowest latents', Array.from({ length: 40 }, (_, i) => -1 - i), 3],
      ['padding goes around the latents that fire', [-1, 2, -1, -1, 5, -1], 4],
      ['zeros of either sign never fire', [-0, 0, 1, -0, 0], 2],
      ['equal values: the lowest latents', Array.from({ length: 500 }, () => 1), 4],
      ['ties with the k-th', Array.from({ length: 600 }, (_, i) => (i % 100 === 99 ? 9 : 5)), 8],
      ['ascending', Array.from({ length: 5000 }, (_, i) => i + 1), 5],
      [
        'NaN and infinities',
        Array.from({ length: 300 }, (_, i) => ({ 290: NaN, 10: Infinity, 5: -Infinity })[i] ?? i + 1),
        3,
      ],
      ['NaN alone', Array.from({ length: 300 }, () => NaN), 2],
    ])('%s', async (_, z, k) => {
      // With d = 1, x = 1 and w = 0, z = x·w + b is the bias, so any pre-activations can be chosen.
      await expectSame((kernels) => {
        const encoder = { wEnc: tf.zeros([z.length, 1]) as Tensor2D, bEnc: tf.tensor1d(z), centre: null };
        return listed(kernels.topKEncode(tf.ones([2, 1]), encoder, k));
      }, 0);
    });
  });

  describe('thresholdEncode', () => {
    test.each(shapes)(
      '%i rows, d = %i, %i latents: the latents above their thresholds',
      async (rows, d, latents) => {
        // Shifted down, few latents fire and the entries are a list; otherwise they are a matrix.
        for (const [shift, learns] of [
          [0, false],
          [-30, true],
        ] as const)
          await expectSame((kernels, inputs) => {
            const x = inputs.integers<Tensor2D>([rows, d]);
            const wide = inputs.encoder(latents, d, 'integers', false);
            const encoder = { ...wide, bEnc: wide.bEnc.add<Tensor1D>(shift) };
            const threshold = learns
              ? tf.range(0, latents).mod<Tensor1D>(tf.scalar(4)).add<Tensor1D>(1)
              : null;
            const found = kernels.thresholdEncode(x, encoder, { threshold, bandwidth: 0 });
            return listed(firingEntries(found, threshold));
          }, 0);
      },
    );

    test('few firings make a list, with the entries just below θ; many make the matrix', async () => {
      const inputs = new Inputs();
      const x = inputs.normals<Tensor2D>([100, 20]);
      const encoder = {
        ...inputs.encoder(500, 20, 'normals', false),
        bEnc: tf.mul(tf.ones([500]), -6) as Tensor1D,
      };
      const kernels = fusedKernels();
      const threshold = tf.ones([500]) as Tensor1D;
      const found = kernels.thresholdEncode(x, encoder, { threshold, bandwidth: 0.5 });
      if (found.kind !== 'sparse') throw new Error('expected a list');
      const values = found.values.dataSync();
      expect(Math.min(...values)).toBeGreaterThan(0.75);
      expect(values.some((z) => z < 1)).toBe(true);
      const wide = { ...encoder, bEnc: tf.zeros([500]) as Tensor1D };
      expect(kernels.thresholdEncode(x, wide, { threshold: null, bandwidth: 0 }).kind).toBe('dense');
    });

    test.each([0, -30])(
      'nothing fires above a θ that is NaN; a θ below 0 admits negative z (shift %i)',
      async (shift) => {
        const fired = await outputs('cpu', nanThresholds(shift));
        expect(fired['counts']?.filter((_, latent) => latent % 4 === 0)).toEqual(Array(18).fill(1));
        await expectSame(nanThresholds(shift), 0);
      },
    );

    test('a row of NaN fires everywhere; nothing at all is an empty list', async () => {
      for (const x of [[[NaN, 0]], [[0, 0]]])
        await expectSame((kernels) => {
          const rows = tf.concat([tf.zeros([20, 2]), tf.tensor2d(x)]) as Tensor2D;
          const encoder = {
            wEnc: tf.ones([30, 2]) as Tensor2D,
            bEnc: tf.mul(tf.ones([30]), -1) as Tensor1D,
            centre: null,
          };
          return listed(kernels.thresholdEncode(rows, encoder, { threshold: null, bandwidth: 0 }));
        }, 0);
    });
  });

  describe.each([...shapes, [2, 2100, 9, 0] as const])('%i rows, d = %i, %i latents', (rows, d, latents) => {
    test('products with a sparse matrix', () =>
      expectSame((kernels, inputs) => {
        const s = inputs.entries(rows, latents, 0.2);
        const [w, g] = [inputs.normals<Tensor2D>([latents, d]), inputs.normals<Tensor2D>([rows, d])];
        return {
          decode: kernels.sparseDecode(s, w),
          dots: kernels.sparseDots(s, g, w),
          outer: kernels.sparseOuter(s, g),
        };
      }, 1e-5));

    test.each(['list', 'matrix'] as const)('firings and reconstruct from a %s', async (form) => {
      for (const learns of [false, true])
        await expectSame((kernels, inputs) => {
          const z: Entries =
            form === 'list'
              ? inputs.entries(rows, latents, 0.2)
              : { kind: 'dense', rows, latents, values: inputs.normals([rows, latents]) };
          const wDec = inputs.normals<Tensor2D>([latents, d]);
          const bias = learns ? null : inputs.normals<Tensor1D>([d]);
          const threshold = learns ? (tf.abs(inputs.normals([latents])) as Tensor1D) : null;
          const target = inputs.normals<Tensor2D>([rows, d]);
          return {
            ...kernels.firings(z, threshold),
            ...kernels.reconstruct(z, threshold, { wDec, bias }, target),
            both: kernels.reconstruct(
              z,
              threshold,
              { wDec, bias: target.slice([0, 0], [1, d]).flatten() },
              target,
            ).error,
          };
        }, 2e-5);
    });

    test('scaled batch and its variance', () =>
      expectSame((kernels, inputs) => {
        const values = inputs.random.normals(rows * d);
        const { x, variance } = kernels.scaledBatch(values, d, 0.37);
        return { x, variance, again: kernels.varianceAboutMean(x) };
      }, 1e-5));
  });

  describe.each([
    ['ReLU, list', { form: 'list', l1: 0.2 }],
    ['ReLU, matrix', { form: 'matrix', l1: 0.2 }],
    ['TopK with AuxK', { form: 'list', auxiliary: true }],
    ['JumpReLU, list', { form: 'list', jump: true, subtract: false }],
    ['JumpReLU, matrix', { form: 'matrix', jump: true, subtract: false }],
  ] as const)('%s', (_, options) => {
    test.each([...shapes, [40, 300, 20, 0] as const, [100, 16, 130, 0] as const])(
      'gradients: %i rows, d = %i, %i latents',
      (rows, d, latents) =>
        expectSame(
          (kernels, inputs) => ({
            ...kernels.gradients(gradientRequest(inputs, [rows, d, latents], options).made),
          }),
          2e-5,
        ),
    );

    test.each([
      ['plain', { clipNorm: null, unitNormDecoder: false }],
      ['clipped', { clipNorm: 0.5, unitNormDecoder: false }],
      ['unit norm', { clipNorm: null, unitNormDecoder: true }],
      ['clipped, unit norm', { clipNorm: 0.5, unitNormDecoder: true }],
    ] as const)('two Adam steps, %s', (__, chosen) =>
      expectSame((kernels, inputs) => {
        const { made, parameters } = gradientRequest(inputs, [40, 70, 45], options);
        const moments = { first: parameters(0), second: parameters(0) };
        for (const step of [1, 2])
          kernels.update(made, moments, {
            learningRate: 0.01,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-6,
            step,
            ...chosen,
          });
        const named = (from: object, prefix: string) =>
          Object.fromEntries(
            Object.entries(from).map(([name, value]) => [`${prefix} ${name}`, value as Tensor]),
          );
        return {
          ...named(made.parameters, 'p'),
          ...named(moments.first, 'm'),
          ...named(moments.second, 'v'),
        };
      }, 1e-4),
    );
  });

  describe('nested reconstructions', () => {
    test.each([...shapes.slice(1), [6, 600, 40, 0] as const])(
      '%i rows, d = %i, %i latents',
      (rows, d, latents) =>
        expectSame((kernels, inputs) => {
          const entries = inputs.entries(rows, latents, 0.4);
          const ends = [Math.ceil(latents / 7), Math.ceil(latents / 2), latents];
          const prefixes = Int32Array.from(new Set(ends));
          const [wDec, bias] = [inputs.normals<Tensor2D>([latents, d]), inputs.normals<Tensor1D>([d])];
          const nested = kernels.reconstructNested(
            entries,
            prefixes,
            { wDec, bias },
            inputs.normals([rows, d]),
          );
          const { made } = gradientRequest(inputs, [rows, d, latents], { form: 'list', auxiliary: true });
          const main = { ...made.main, entries, error: nested.errors, dots: nested.dots, prefixes };
          return { ...nested, ...kernels.gradients({ ...made, main }) };
        }, 5e-5),
    );
  });

  describe('a gate', () => {
    const gated = (inputs: Inputs, size: readonly [number, number, number]) => {
      const { made, parameters } = gradientRequest(inputs, size, { form: 'list' });
      const [, , latents] = size;
      const { entries } = made.main;
      const vector = () => inputs.normals<Tensor1D>([latents]);
      const variables = () => ({
        ...parameters(0),
        rMag: tf.variable(tf.zeros([latents]), false),
        bMag: tf.variable(tf.zeros([latents]), false),
      });
      const own = {
        ...made.parameters,
        rMag: tf.variable(vector(), false),
        bMag: tf.variable(vector(), false),
      };
      const gate = {
        entries: { ...entries, values: inputs.normals(entries.values.shape) } as Entries,
        dots: inputs.normals<Tensor1D>(entries.values.shape),
        scale: 0.6,
        l1: 0.11,
        gain: tf.exp(own.rMag) as Tensor1D,
      };
      return { request: { ...made, parameters: own, gate }, variables };
    };

    test.each(shapes)('gradients: %i rows, d = %i, %i latents', (rows, d, latents) =>
      expectSame((kernels, inputs) => {
        const made = kernels.gradients(gated(inputs, [rows, d, latents]).request);
        return Object.fromEntries(Object.entries(made).map(([name, value]) => [name, value ?? null]));
      }, 2e-5),
    );

    test.each([null, 0.5])('two Adam steps, clipped to a norm of %s', (clipNorm) =>
      expectSame((kernels, inputs) => {
        const { request, variables } = gated(inputs, [40, 70, 45]);
        const moments = { first: variables(), second: variables() };
        const settings = { learningRate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-6, clipNorm };
        for (const step of [1, 2])
          kernels.update(request, moments, { ...settings, step, unitNormDecoder: true });
        const { rMag, bMag, bEnc } = request.parameters;
        return { rMag, bMag, bEnc, first: moments.first.rMag, second: moments.second.bMag };
      }, 1e-4),
    );
  });

  test('the same step twice gives the same bits', async () => {
    const run: Case = (kernels, inputs) => {
      const { made } = gradientRequest(inputs, [100, 40, 130], { form: 'list', auxiliary: true });
      return { ...kernels.gradients(made), ...kernels.firings(made.main.entries, null) };
    };
    expect(await outputs('cuda', run)).toEqual(await outputs('cuda', run));
  });

  test('numbers that are still on the device do as well as numbers at hand', async () => {
    await startBackend('cuda');
    const at = (scale: Computed) => {
      const { made } = gradientRequest(new Inputs(), [40, 20, 30], { form: 'list', auxiliary: true });
      const term = made.auxiliary && { ...made.auxiliary, scale };
      return fusedKernels().gradients({ ...made, main: { ...made.main, scale }, auxiliary: term });
    };
    const [a, b] = [at(0.25), at(tf.scalar(0.25))];
    for (const name of ['wEnc', 'bEnc', 'wDec', 'bDec'] as const)
      expect(a[name].dataSync()).toEqual(b[name].dataSync());
    expect(hostNumber(tf.scalar(0.25))).toBe(0.25);
  });
});
