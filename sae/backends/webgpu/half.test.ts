/** Kernels that read operands in 16 bits, compared with float64 on the host and with the same kernels in 32 bits. */
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { dictionaryVariables, zerosLike } from '../../autoencoders/dictionary.ts';
import type { AdamSettings, Encoder, GradientRequest } from '../../ops/fusedKernels.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import { type SparseEntries, sparseEntries } from '../../ops/sparseEntries.ts';
import { Random } from '../../numerics/random.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { webgpuFusedKernels } from './fused.ts';
import { HalfCopies } from './halfCopies.ts';
import { rowUpdate, type Source } from './kernels/rowUpdate.ts';
import { decode, decodeNested } from './kernels/sparse.ts';
import { Products } from './matMul.ts';
import { Programs } from './programs.ts';

const adapter = await adapterForTests('shader-f16');
/** Relative rounding error of a number in 16 bits: half a unit in the last of 11 places. */
const unit = 2 ** -11;
const adam: AdamSettings = {
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-6,
  step: 1,
  clipNorm: null,
  unitNormDecoder: true,
};
/** Relative rounding error of a sum of n terms in 32 bits. */
const rounding = (terms: number) => (terms + 4) * 2 ** -24;

function operands(rows: number, latents: number, d: number, make: (size: number) => Float32Array) {
  const [x, w, b, c] = [make(rows * d), make(latents * d), make(latents), make(d)];
  const encoder: Encoder = {
    wEnc: tf.tensor2d(w.slice(), [latents, d]),
    bEnc: tf.tensor1d(b.slice()),
    centre: tf.tensor1d(c.slice()),
  };
  return { x, w, b, c, input: tf.tensor2d(x.slice(), [rows, d]), encoder };
}

/** ReLU(z) [rows, latents], from the product that the selection kernels use. */
function rectified(input: Tensor2D, encoder: Encoder): Float32Array {
  const latents = encoder.wEnc.shape[0];
  return Float32Array.from(fusedKernels().topKEncode(input, encoder, latents).values.dataSync());
}

/** A list of entries, and its rows, latents and values on the host. */
interface Listed {
  readonly entries: SparseEntries;
  readonly each: readonly (readonly [row: number, latent: number, value: number])[];
}

function list(rows: number, latents: number, random: Random, value: () => number): Listed {
  const rowStart = new Int32Array(rows + 1);
  const each: [number, number, number][] = [];
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < latents; i++) if (random.uniform() < 0.3) each.push([row, i, Math.fround(value())]);
    rowStart[row + 1] = each.length;
  }
  const [indices, values] = [each.map(([, i]) => i), each.map(([, , v]) => v)];
  return {
    entries: sparseEntries(latents, rowStart, Int32Array.from(indices), Float32Array.from(values)),
    each,
  };
}

/** A gradient request for a list, or for two, with given errors and dots. */
function request(
  [rows, latents, d]: readonly [number, number, number],
  random: Random,
  make: (size: number) => Float32Array,
  auxiliary: boolean,
) {
  const host = {
    x: make(rows * d),
    parameters: {
      wEnc: make(latents * d),
      bEnc: make(latents),
      wDec: make(latents * d),
      bDec: make(d),
      logThreshold: null,
    },
    terms: (auxiliary ? [0.25, 0.5] : [0.25]).map((scale) => {
      const listed = list(rows, latents, random, () => make(1)[0]);
      return { ...listed, scale, error: make(rows * d), dots: make(listed.each.length) };
    }),
  };
  const [main, second = null] = host.terms.map(({ entries, scale, error, dots }) => ({
    entries,
    scale,
    error: tf.tensor2d(error.slice(), [rows, d]),
    dots: tf.tensor1d(dots.slice()),
  }));
  const made: GradientRequest = {
    parameters: dictionaryVariables(host.parameters),
    x: tf.tensor2d(host.x.slice(), [rows, d]),
    subtractsDecoderBias: true,
    main,
    auxiliary: second,
    l1: 0,
    jump: null,
  };
  return { ...host, made };
}

/** Sums of terms in float64, with bounds on the rounding error of the kernels' values. */
class Sums {
  readonly #sums: Float64Array;
  readonly #sizes: Float64Array;
  readonly #least: Float64Array;
  #terms = 0;

  constructor(count: number) {
    this.#sums = new Float64Array(count);
    this.#sizes = new Float64Array(count);
    this.#least = new Float64Array(count);
  }

  /** Adds a term; `least` is an absolute error that is allowed however small the term is. */
  add(at: number, term: number, least = 0): void {
    this.#sums[at] += term;
    this.#sizes[at] += Math.abs(term);
    this.#least[at] += least;
    this.#terms++;
  }

  /** Expects errors within what rounding `halves` factors of each term to 11 bits explains, and beyond what 32 bits would. Results below `floor` become `floor`. */
  expect(got: ArrayLike<number>, halves: 1 | 2, floor = -Infinity): void {
    expect(got.length).toBe(this.#sums.length);
    const relative = (1 + unit) ** halves - 1 + rounding((2 * this.#terms) / got.length + 8);
    let rounded = 0;
    for (let i = 0; i < got.length; i++) {
      const off = Math.abs(got[i] - Math.max(floor, this.#sums[i]));
      if (!(off <= this.#sizes[i] * relative + this.#least[i]))
        expect.fail(`${i} is ${got[i]}, not ${this.#sums[i]}, of terms of ${this.#sizes[i]} in all`);
      if (off > this.#sizes[i] * 2 ** -17) rounded++;
    }
    expect(rounded).toBeGreaterThan(0);
  }
}

test('other backends refuse it', async () => {
  await expect(startBackend('cpu', { storage: 'f16' })).rejects.toMatchObject({
    code: 'bad_input',
    message: "Storage f16 is the webgpu backend's, not cpu's: choose webgpu, or f32.",
  });
});

describe.skipIf(!adapter.found)(`halves on ${adapter.description}`, () => {
  vi.setConfig({ testTimeout: 240_000 });
  beforeAll(() => startBackend('webgpu'));
  beforeEach(() => startBackend('webgpu', { storage: 'f16' }));

  test.each([
    [3, 31, 5],
    [70, 131, 32],
    [7, 48, 300],
  ])('%i rows, %i latents, d = %i: as far off as 11 bits explain, no further', (rows, latents, d) => {
    const random = Random.fromSeed(5, d);
    const { x, w, b, c, input, encoder } = operands(rows, latents, d, (size) => random.normals(size));
    const sums = new Sums(rows * latents);
    for (let row = 0; row < rows; row++)
      for (let i = 0; i < latents; i++) {
        sums.add(row * latents + i, b[i]);
        for (let j = 0; j < d; j++) sums.add(row * latents + i, (x[row * d + j] - c[j]) * w[i * d + j]);
      }
    sums.expect(rectified(input, encoder), 2, 0);
  });

  test.each([
    [3, 31, 5],
    [70, 131, 32],
    [7, 48, 300],
  ])(
    '%i rows, %i latents, d = %i: reconstruction and dots, as far off as 11 bits explain',
    (rows, latents, d) => {
      const random = Random.fromSeed(8, d);
      const { entries, each } = list(rows, latents, random, () => Math.abs(random.normals(1)[0]));
      const [w, b, x] = [latents * d, d, rows * d].map((size) => random.normals(size));
      const decoder = { wDec: tf.tensor2d(w.slice(), [latents, d]), bias: tf.tensor1d(b.slice()) };
      const made = fusedKernels().reconstruct(entries, null, decoder, tf.tensor2d(x.slice(), [rows, d]));
      const error = made.error.dataSync();
      const [errors, dots] = [new Sums(rows * d), new Sums(each.length)];
      for (let at = 0; at < rows * d; at++) errors.add(at, b[at % d] - x[at]);
      each.forEach(([row, i, value], e) => {
        for (let j = 0; j < d; j++) {
          errors.add(row * d + j, value * w[i * d + j]);
          dots.add(e, error[row * d + j] * w[i * d + j]);
        }
      });
      errors.expect(error, 1);
      dots.expect(made.dots.dataSync(), 1);
    },
  );

  test.each([
    [3, 31, 5, false],
    [70, 131, 32, true],
    [7, 48, 300, true],
  ])('%i rows, %i latents, d = %i, AuxK %s: gradients, as far off as 11 bits explain', (...shape) => {
    const [rows, latents, d, auxiliary] = shape;
    const random = Random.fromSeed(9, d);
    const { x, parameters, terms, made } = request(
      [rows, latents, d],
      random,
      (size) => random.normals(size),
      auxiliary,
    );
    const got = fusedKernels().gradients(made);
    const sums = { wEnc: new Sums(latents * d), wDec: new Sums(latents * d), bDec: new Sums(d) };
    terms.forEach(({ each, scale, error, dots }, term) => {
      if (term === 0) error.forEach((value, at) => sums.bDec.add(at % d, scale * value));
      each.forEach(([row, i, value], e) => {
        if (value <= 0) return;
        const slope = scale * dots[e];
        for (let j = 0; j < d; j++) {
          sums.wDec.add(i * d + j, scale * value * error[row * d + j], scale * value * 2 ** -28);
          sums.wEnc.add(i * d + j, slope * (x[row * d + j] - parameters.bDec[j]));
          sums.bDec.add(j, -slope * parameters.wEnc[i * d + j]);
        }
      });
    });
    for (const name of ['wEnc', 'wDec', 'bDec'] as const) sums[name].expect(got[name].dataSync(), 1);
  });

  test('errors of a millionth and of millions keep their 11 bits: each row has its own unit', () => {
    const [rows, d] = [40, 6];
    const random = Random.fromSeed(10);
    const { made } = request([rows, rows, d], random, (size) => random.normals(size), false);
    // Latent i has one entry, of value 1 in row i, so that its gradient is that row.
    const ones = Int32Array.from({ length: rows + 1 }, (_, i) => i);
    const entries = sparseEntries(rows, ones, ones.slice(0, rows), new Float32Array(rows).fill(1));
    const error = random.normals(rows * d).map((value, at) => value * 10 ** ((Math.floor(at / d) % 14) - 6));
    const main = {
      entries,
      error: tf.tensor2d(error.slice(), [rows, d]),
      dots: tf.ones([rows]) as Tensor1D,
      scale: 1,
    };
    const got = fusedKernels()
      .gradients({ ...made, main })
      .wDec.dataSync();
    error.forEach((value, at) => {
      const row = error.subarray(at - (at % d), at - (at % d) + d);
      const largest = Math.max(1, ...row.map(Math.abs));
      expect(Math.abs(got[at] - value)).toBeLessThanOrEqual(Math.abs(value) * unit + largest * 2 ** -39);
    });
  });

  test('what 16 bits can hold gives the bits of 32, in products, reconstructions, gradients and steps', async () => {
    const steps = () => {
      const random = Random.fromSeed(6);
      const integers = (size: number) => Float32Array.from({ length: size }, () => random.below(13) - 6);
      const { input, encoder } = operands(20, 90, 21, integers);
      const { made, parameters } = request([20, 90, 21], random, integers, true);
      const { wDec, bDec } = made.parameters as unknown as { wDec: Tensor2D; bDec: Tensor1D };
      const kernels = fusedKernels();
      const decoder = { wDec, bias: bDec };
      const { error, dots } = kernels.reconstruct(made.main.entries as SparseEntries, null, decoder, input);
      const gradients = kernels.gradients(made);
      const [first, second] = [0, 0].map(() => dictionaryVariables(zerosLike(parameters)));
      const prefixes = Int32Array.of(11, 40, 90);
      const list = made.main.entries as SparseEntries;
      const nested = kernels.reconstructNested(list, prefixes, decoder, input);
      const blocks = tf.tensor2d(integers(3 * 20 * 21), [3 * 20, 21]);
      const ofNested = kernels.gradients({ ...made, main: { ...made.main, error: blocks, prefixes } });
      const before = [
        error, dots, gradients.wEnc, gradients.wDec, gradients.bDec, nested.errors, nested.dots, ofNested.wDec, ofNested.bDec,
      ].map((t) => t.dataSync()); // prettier-ignore
      kernels.update(made, { first, second }, adam);
      const { wEnc } = made.parameters;
      return [rectified(input, encoder), ...before, wEnc.dataSync(), wDec.dataSync(), bDec.dataSync()];
    };
    const halves = steps();
    await startBackend('webgpu');
    expect(halves).toEqual(steps());
  });

  test('a choice streamed by chunks of latents has the bits of one from the whole matrix', () => {
    const random = Random.fromSeed(8);
    const { input, encoder } = operands(20, 331, 21, (size) => random.normals(size));
    const backend = tf.backend() as DeviceBackend;
    const programs = new Programs(backend, { subgroups: false });
    const products = new Products(backend, programs, new HalfCopies(backend, programs, 'f16'));
    const streaming = webgpuFusedKernels(backend, programs, products, { topKChunk: 64 });
    const [whole, streamed] = [fusedKernels(), streaming].map((kernels) => {
      const { indices, values } = kernels.topKEncode(input, encoder, 9);
      return { indices: indices.dataSync(), values: values.dataSync() };
    });
    expect(streamed).toEqual(whole);
  });

  test('NaN, infinities and what is too large for 16 bits are no numbers to a product', () => {
    const encoder = {
      wEnc: tf.tensor2d([1, 1, 1, 1, NaN, 1, Infinity, 1, 65504, 1, 65520, 1], [6, 2]),
      bEnc: tf.zeros([6]) as Tensor1D,
      centre: null,
    };
    const input = tf.tensor2d([NaN, 0, Infinity, 0, 1, -Infinity, 1e6, 0, 2, 3], [5, 2]);
    const z = rectified(input, encoder);
    for (const row of [0, 1, 2, 3]) expect(z[row * 6]).toBeNaN();
    expect(Array.from(z.subarray(24))).toEqual([5, 5, NaN, NaN, 131011, NaN]);
  });

  test('nor to gradients and steps: rows without them stay numbers', () => {
    const random = Random.fromSeed(11);
    const { made } = request([20, 30, 8], random, (size) => random.normals(size), false);
    const ones = Int32Array.from({ length: 21 }, (_, i) => i);
    const entries = sparseEntries(30, ones, ones.slice(0, 20), new Float32Array(20).fill(1));
    const error = random.normals(20 * 8);
    [error[3 * 8 + 1], error[5 * 8], error[6 * 8 + 7]] = [NaN, Infinity, 1e30];
    const main = { entries, error: tf.tensor2d(error, [20, 8]), dots: tf.ones([20]) as Tensor1D, scale: 1 };
    const got = fusedKernels().gradients({ ...made, main });
    const lost = [...got.wDec.dataSync().keys()].filter((at) => !Number.isFinite(got.wDec.dataSync()[at]));
    expect(lost).toEqual([3 * 8 + 1, 5 * 8, 6 * 8 + 7]);
  });
});

test('no kernel binds more than the eight tensors that every GPU has', () => {
  const sources: Source[] = [
    { kind: 'given' },
    { kind: 'encoder', centred: true, storage: 'f32' },
    { kind: 'encoder', centred: false, storage: 'f16' },
    ...(['one', 'two', 'halves'] as const).map((errors) => ({ kind: 'decoder', errors, l1: 0.1 }) as const),
  ];
  const size = { latents: 10, d: 10, secondRows: 32 };
  const counts = sources.map((source) => {
    const inHalves =
      source.kind === 'given' ||
      (source.kind === 'encoder' ? source.storage === 'f16' : source.errors === 'halves');
    const purpose = { kind: 'adam', adam: { ...adam, clipNorm: 1 }, copied: inHalves } as const;
    return rowUpdate(size, source, purpose).bindings.length;
  });
  const vectors = { threshold: 0, bias: 10 };
  counts.push(decode({ rows: 3, d: 10, storage: 'f16', reconstruct: vectors }).bindings.length);
  counts.push(
    decodeNested({ rows: 3, d: 10, storage: 'f16', prefixes: Int32Array.of(4, 10) }).bindings.length,
  );
  expect(Math.max(...counts)).toBe(8);
});
