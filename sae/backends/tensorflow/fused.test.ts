/**
 * Every fused kernel composed of TensorFlow's operations against the reference kernel on TF.js's plain backend. Where inputs are small integers, choices
 * and values must be equal to the bit. Every choice is made on all rows at once and on blocks of few.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { gradientRequest, Inputs, listed } from '../../fixtures/fusedInputs.ts';
import type { Computed, ComputedVector } from '../../ops/computed.ts';
import { disposeEntries, firingEntries, type Entries } from '../../ops/sparseEntries.ts';
import type { BatchChoice, FusedKernels, GradientRequest } from '../../ops/fusedKernels.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import type { BackendName } from '../backend.ts';
import { startBackend } from '../startBackend.ts';
import { tensorflowFusedKernels } from './fused.ts';
import type { NodeBackend } from './nodeKernels.ts';
import { Operations } from './operations.ts';
import { tensorflowBackend } from './tensorflowBackend.ts';

const { works, detail } = await tensorflowBackend.probe();

type Result = Tensor | Computed | ComputedVector<Int32Array | Float32Array> | null;
type Case = (kernels: FusedKernels, inputs: Inputs) => Record<string, Result>;

async function outputs(backend: BackendName, run: Case, table?: FusedKernels) {
  await startBackend(backend);
  const made = tf.tidy(() => {
    const results = run(table ?? fusedKernels(), new Inputs());
    return Object.entries(results).map(([name, value]) => {
      if (value === null || typeof value === 'number')
        return { name, values: value === null ? null : [value] };
      return { name, values: Array.from(value instanceof tf.Tensor ? value.dataSync() : value) };
    }) as never;
  }) as unknown as { name: string; values: number[] | null }[];
  return new Map(made.map(({ name, values }) => [name, values]));
}

/** `tolerance` is the largest difference allowed, relative to the largest number if that exceeds 1; 0 requires the same bits. */
async function expectSame(
  run: Case,
  tolerance: number,
  tables: readonly (FusedKernels | undefined)[] = [undefined, inBlocks],
) {
  const want = await outputs('cpu', run);
  for (const table of tables) {
    const got = await outputs('tensorflow', run, table);
    expect([...got.keys()]).toEqual([...want.keys()]);
    for (const [name, expected] of want) {
      const actual = got.get(name);
      if (tolerance === 0 || !expected || !actual) {
        expect({ [name]: actual }).toEqual({ [name]: expected });
        continue;
      }
      expect(actual.length).toBe(expected.length);
      const size = expected.reduce((most, value) => Math.max(most, Math.abs(value) || 0), 1);
      const off = actual.findIndex((value, i) => !(Math.abs(value - expected[i]) <= tolerance * size || (Number.isNaN(value) && Number.isNaN(expected[i])))); // prettier-ignore
      if (off >= 0) expect.fail(`${name}[${off}] is ${actual[off]}, the reference has ${expected[off]}`);
    }
  }
}

/** The same kernels on blocks of few rows, and never with a matrix. */
let inBlocks: FusedKernels | undefined;

/** rows, d, latents, k */
const shapes = [
  [1, 1, 1, 1],
  [3, 5, 31, 31],
  [70, 32, 131, 11],
  [7, 300, 48, 48],
  [5, 16, 4500, 40],
] as const;

describe.skipIf(!works)(works ? 'with TensorFlow' : `SKIPPED: ${detail}`, () => {
  vi.setConfig({ testTimeout: 60_000 });
  beforeAll(async () => {
    await startBackend('tensorflow');
    const operations = new Operations(tf.backend() as NodeBackend);
    inBlocks = tensorflowFusedKernels(operations, { blockBytes: 4096, denseAbove: 1 });
  });
  afterAll(() => startBackend('cpu'));

  test('the fused kernels are those of TensorFlow', async () => {
    await startBackend('tensorflow');
    expect(fusedKernels().backend).toBe('tensorflow');
  });

  describe.each(shapes)('%i rows, d = %i, %i latents, k = %i', (rows, d, latents, k) => {
    test('topKEncode: exact, ties by lower latent', async () => {
      const chosen = Int32Array.from({ length: latents }, (_, i) => i).filter((i) => i % 3 !== 1);
      for (const among of [undefined, chosen])
        await expectSame((kernels, inputs) => {
          const x = inputs.integers<Tensor2D>([rows, d]);
          const encoder = inputs.encoder(latents, d, 'integers');
          return listed(kernels.topKEncode(x, encoder, Math.min(k, (among ?? chosen).length), among));
        }, 0);
    });

    test('batchTopKEncode: exact, ties by lower row and latent, wherever the search begins', async () => {
      for (const count of [1, rows * k, rows * latents])
        for (const near of [undefined, 0.5, 1e6])
          await expectSame((kernels, inputs) => {
            const x = inputs.integers<Tensor2D>([rows, d]);
            const encoder = inputs.encoder(latents, d, 'integers');
            const choice = kernels.batchTopKEncode(x, encoder, { count, near });
            return chosenBy(choice);
          }, 0);
    });

    test('thresholdEncode: the latents above their thresholds', async () => {
      for (const [shift, learns] of [
        [0, false],
        [-30, true],
      ] as const)
        await expectSame((kernels, inputs) => {
          const x = inputs.integers<Tensor2D>([rows, d]);
          const wide = inputs.encoder(latents, d, 'integers', false);
          const encoder = { ...wide, bEnc: wide.bEnc.add<Tensor1D>(shift) };
          const threshold = learns ? tf.range(0, latents).mod<Tensor1D>(tf.scalar(4)).add<Tensor1D>(1) : null;
          const found = kernels.thresholdEncode(x, encoder, { threshold, bandwidth: 0 });
          return listed(firingEntries(found, threshold));
        }, 0);
    });

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

    test.each(['list', 'matrix', 'top k'] as const)('firings and reconstruct from a %s', async (form) => {
      for (const learns of [false, true])
        await expectSame((kernels, inputs) => {
          const z = ((): Entries => {
            if (form === 'list') return inputs.entries(rows, latents, 0.2);
            if (form === 'matrix')
              return { kind: 'dense', rows, latents, values: inputs.normals([rows, latents]) };
            return kernels.topKEncode(inputs.integers([rows, d]), inputs.encoder(latents, d, 'integers'), k);
          })();
          const wDec = inputs.normals<Tensor2D>([latents, d]);
          const bias = learns ? null : inputs.normals<Tensor1D>([d]);
          const threshold = learns ? (tf.abs(inputs.normals([latents])) as Tensor1D) : null;
          const target = inputs.normals<Tensor2D>([rows, d]);
          return {
            ...kernels.firings(z, threshold),
            ...kernels.reconstruct(z, threshold, { wDec, bias }, target),
          };
        }, 2e-5);
    });

    test('nested reconstructions', () =>
      expectSame((kernels, inputs) => {
        const prefixes = Int32Array.from(new Set([Math.ceil(latents / 4), Math.ceil(latents / 2), latents]));
        const s = inputs.entries(rows, latents, 0.2);
        const decoder = { wDec: inputs.normals<Tensor2D>([latents, d]), bias: inputs.normals<Tensor1D>([d]) };
        return { ...kernels.reconstructNested(s, prefixes, decoder, inputs.normals([rows, d])) };
      }, 2e-5));

    test('scaled batch and its variance', () =>
      expectSame((kernels, inputs) => {
        const { x, variance } = kernels.scaledBatch(inputs.random.normals(rows * d), d, 0.37);
        return { x, variance, again: kernels.varianceAboutMean(x) };
      }, 1e-5));
  });

  const chosenBy = ({ entries, least }: BatchChoice) => ({ ...listed(firingEntries(entries, null)), least });
  const ofBias = (z: readonly number[]) => ({
    wEnc: tf.zeros([z.length, 1]) as Tensor2D,
    bEnc: tf.tensor1d([...z]),
    centre: null,
  });

  test.each([
    ['all negative: zeros at the lowest latents', Array.from({ length: 40 }, (_, i) => -1 - i), 3],
    ['padding goes around the latents that fire', [-1, 2, -1, -1, 5, -1], 4],
    ['zeros of either sign never fire', [-0, 0, 1, -0, 0], 2],
    ['ties with the k-th', Array.from({ length: 600 }, (_, i) => (i % 100 === 99 ? 9 : 5)), 8],
    ['ascending', Array.from({ length: 5000 }, (_, i) => i + 1), 5],
    [
      'NaN and infinities',
      Array.from({ length: 300 }, (_, i) => ({ 290: NaN, 10: Infinity, 5: -Infinity })[i] ?? i + 1),
      3,
    ],
    ['NaN alone', Array.from({ length: 300 }, () => NaN), 2],
  ])('topKEncode: %s', async (_, z, k) => {
    await expectSame((kernels) => listed(kernels.topKEncode(tf.ones([2, 1]), ofBias(z), k)), 0);
  });

  test.each([[[-1, 0, -3]], [[NaN, 2, -1]], [[Infinity, 2, 2]], [[-Infinity, 1, NaN]]])(
    'batchTopKEncode of %s: nothing positive, and values that are not finite',
    (values) =>
      expectSame(
        (kernels) => chosenBy(kernels.batchTopKEncode(tf.ones([4, 1]), ofBias(values), { count: 6 })),
        0,
      ),
  );

  test('thresholdEncode: few firings make a list, with the entries just below θ; many make the matrix', async () => {
    await startBackend('tensorflow');
    const inputs = new Inputs();
    const x = inputs.normals<Tensor2D>([100, 20]);
    const encoder = {
      ...inputs.encoder(500, 20, 'normals', false),
      bEnc: tf.ones([500]).mul(-14) as Tensor1D,
    };
    const threshold = tf.ones([500]) as Tensor1D;
    const found = fusedKernels().thresholdEncode(x, encoder, { threshold, bandwidth: 0.5 });
    if (found.kind !== 'sparse') throw new Error('expected a list');
    const values = found.values.dataSync();
    expect(Math.min(...values)).toBeGreaterThan(0.75);
    expect(values.some((z) => z < 1)).toBe(true);
    const wide = { ...encoder, bEnc: tf.zeros([500]) as Tensor1D };
    expect(fusedKernels().thresholdEncode(x, wide, { threshold: null, bandwidth: 0 }).kind).toBe('dense');
  });

  test('a row of NaN fires everywhere; nothing at all is an empty list', async () => {
    for (const last of [NaN, 0])
      await expectSame((kernels) => {
        const rows = tf.concat([tf.zeros([20, 2]), tf.tensor2d([[last, 0]])]) as Tensor2D;
        const encoder = {
          wEnc: tf.ones([30, 2]) as Tensor2D,
          bEnc: tf.ones([30]).mul(-1) as Tensor1D,
          centre: null,
        };
        const found = kernels.thresholdEncode(rows, encoder, { threshold: null, bandwidth: 0 });
        const list = firingEntries(found, null);
        const target = tf.ones([21, 2]) as Tensor2D;
        return {
          ...listed(list),
          ...kernels.firings(list, null),
          ...kernels.reconstruct(list, null, { wDec: tf.ones([30, 2]), bias: null }, target),
        };
      }, 0);
  });

  const named = (from: object, prefix: string) =>
    Object.fromEntries(
      Object.entries(from).map(([name, value]) => [`${prefix} ${name}`, value as Tensor | null]),
    );
  const gatedRequest = (
    inputs: Inputs,
    [rows, d, latents]: readonly [number, number, number],
  ): GradientRequest => {
    const { made } = gradientRequest(inputs, [rows, d, latents], { form: 'list' });
    const { entries } = made.main;
    const vector = () => tf.variable(inputs.normals<Tensor1D>([latents], 0.3), false);
    const [rMag, bMag] = [vector(), vector()];
    return {
      ...made,
      parameters: { ...made.parameters, rMag, bMag },
      gate: {
        entries: { ...entries, values: inputs.normals(entries.values.shape) } as Entries,
        dots: inputs.normals(entries.values.shape),
        scale: 0.4,
        l1: 0.1,
        gain: tf.exp(rMag) as Tensor1D,
      },
    };
  };
  const nestedRequest = (
    inputs: Inputs,
    [rows, d, latents]: readonly [number, number, number],
  ): GradientRequest => {
    const { made } = gradientRequest(inputs, [rows, d, latents], { form: 'list', auxiliary: true });
    const prefixes = Int32Array.of(Math.ceil(latents / 3), latents);
    return { ...made, main: { ...made.main, prefixes, error: inputs.normals([2 * rows, d]) } };
  };

  describe.each([
    ['ReLU, list', { form: 'list', l1: 0.2 }],
    ['ReLU, matrix', { form: 'matrix', l1: 0.2 }],
    ['TopK with AuxK', { form: 'list', auxiliary: true }],
    ['JumpReLU, list', { form: 'list', jump: true, subtract: false }],
    ['JumpReLU, matrix', { form: 'matrix', jump: true, subtract: false }],
  ] as const)('%s', (_, options) => {
    test.each([...shapes, [40, 300, 20, 0] as const])(
      'gradients: %i rows, d = %i, %i latents',
      (rows, d, latents) =>
        expectSame(
          (kernels, inputs) => ({
            ...kernels.gradients(gradientRequest(inputs, [rows, d, latents], options).made),
          }),
          2e-5,
          [undefined],
        ),
    );

    test.each([
      ['plain', { clipNorm: null, unitNormDecoder: false }],
      ['clipped, unit norm', { clipNorm: 0.5, unitNormDecoder: true }],
    ] as const)('two Adam steps, %s', (__, chosen) =>
      expectSame(
        (kernels, inputs) => {
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
          return {
            ...named(made.parameters, 'p'),
            ...named(moments.first, 'm'),
            ...named(moments.second, 'v'),
          };
        },
        1e-4,
        [undefined],
      ),
    );
  });

  test.each([...shapes])(
    'gradients of Gated and of nested reconstructions: %i rows, d = %i, %i latents',
    async (rows, d, latents) => {
      for (const request of [gatedRequest, ...(latents > 1 ? [nestedRequest] : [])])
        await expectSame(
          (kernels, inputs) => ({ ...kernels.gradients(request(inputs, [rows, d, latents])) }),
          2e-5,
          [undefined],
        );
    },
  );

  test('an update leaves tensors that share memory with a parameter as they are', async () => {
    await startBackend('tensorflow');
    const { made, parameters } = gradientRequest(new Inputs(), [40, 70, 45], { form: 'list' });
    const moments = { first: parameters(0), second: parameters(0) };
    const before = made.parameters.wEnc.clone();
    const values = before.dataSync().slice();
    const settings = {
      learningRate: 0.1,
      beta1: 0.9,
      beta2: 0.99,
      epsilon: 1e-6,
      clipNorm: null,
      unitNormDecoder: false,
    };
    for (const step of [1, 2]) fusedKernels().update(made, moments, { ...settings, step });
    expect(before.dataSync()).toEqual(values);
    expect(made.parameters.wEnc.dataSync()).not.toEqual(values);
  });

  test('the same twice gives the same bits', async () => {
    const run: Case = (kernels, inputs) => {
      const { made } = gradientRequest(inputs, [300, 100, 1300], { form: 'list', auxiliary: true });
      const x = inputs.normals<Tensor2D>([300, 100]);
      const list = kernels.topKEncode(x, inputs.encoder(1300, 100, 'normals'), 20);
      return { ...kernels.gradients(made), ...kernels.firings(made.main.entries, null), values: list.values };
    };
    expect(await outputs('tensorflow', run)).toEqual(await outputs('tensorflow', run));
  });

  test('choosing from 24,576 latents holds at most two matrices [batch, latents], and far less of many rows', async () => {
    await startBackend('tensorflow');
    const backend = tf.backend() as NodeBackend;
    for (const [rows, most] of [
      [256, 2],
      [4096, 1],
    ]) {
      const [d, latents] = [16, 24_576];
      const x = tf.randomNormal([rows, d]) as Tensor2D;
      const encoder = {
        wEnc: tf.randomNormal([latents, d]) as Tensor2D,
        bEnc: tf.zeros([latents]) as Tensor1D,
        centre: null,
      };
      const before = tf.memory().numBytes;
      let peak = 0;
      const made = vi.spyOn(backend, 'createOutputTensor');
      made.mockImplementation(function (this: NodeBackend, ...given) {
        const tensor = Object.getPrototypeOf(backend).createOutputTensor.apply(backend, given) as Tensor;
        peak = Math.max(peak, tf.memory().numBytes - before);
        return tensor;
      });
      const entries = fusedKernels().topKEncode(x, encoder, 32);
      made.mockRestore();
      disposeEntries(entries);
      expect(peak).toBeGreaterThan(1e6);
      expect(peak / (4 * rows * latents)).toBeLessThan(most);
      tf.dispose([x, encoder.wEnc, encoder.bEnc]);
    }
  });
});
