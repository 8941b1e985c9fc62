/** Top-k chosen chunk by chunk, compared with top-k of the whole matrix of pre-activations: the bits are always the same. */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { Encoder, FusedKernels } from '../../ops/fusedKernels.ts';
import { Random } from '../../numerics/random.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { type SelectionOptions, webgpuFusedKernels } from './fused.ts';
import { Products } from './matMul.ts';
import { Programs } from './programs.ts';
import { topKChunk } from './streamedTopK.ts';
import { hasOrderedSubgroups } from './subgroups.ts';

const adapter = await adapterForTests();

describe('topKChunk', () => {
  test('makes a product of at least 2²² results, in chunks of 2,048 to 8,192', () => {
    expect([4096, 2048, 1024, 512, 10].map((rows) => topKChunk(rows, 65536, 32))).toEqual([
      2048, 2048, 4096, 8192, 8192,
    ]);
  });

  test('is null for fewer than four chunks, and for k above a quarter of one', () => {
    expect(topKChunk(4096, 8192, 512)).toBe(2048);
    expect(topKChunk(4096, 8191, 512)).toBeNull();
    expect(topKChunk(4096, 8192, 513)).toBeNull();
  });
});

describe.skipIf(!adapter.found)(`on ${adapter.description}`, () => {
  vi.setConfig({ testTimeout: 240_000 });
  let backend: DeviceBackend;
  let whole: FusedKernels;
  let streamed: FusedKernels;
  let inBlocks: FusedKernels;
  /** Latents in a chunk: few enough that a small test has many chunks. */
  const chunk = 64;

  // All tables share compiled kernels. fused.test.ts tests streaming without subgroups as well.
  let programs: Programs;
  let table: (options: SelectionOptions) => FusedKernels;
  beforeAll(async () => {
    await startBackend('webgpu');
    backend = tf.backend() as DeviceBackend;
    programs = new Programs(backend, { subgroups: await hasOrderedSubgroups(backend.device) });
    const products = new Products(backend, programs);
    table = (options) => webgpuFusedKernels(backend, programs, products, options);
    whole = table({ topKChunk: null });
    streamed = table({ topKChunk: chunk });
    // Each block has five rows.
    inBlocks = table({ topKChunk: chunk, blockBytes: 5 * 8 * chunk });
  });

  const chosen = (kernels: FusedKernels, ...request: Parameters<FusedKernels['topKEncode']>) => {
    const labels = vi.spyOn(backend, 'record');
    const { rowStart, indices, values } = kernels.topKEncode(...request);
    const streams = labels.mock.calls.some(([label]) => label === 'mergeTopK');
    labels.mockRestore();
    const [starts, list, floats] = [rowStart, indices, values].map((tensor) => tensor.dataSync());
    const bits = new Uint32Array(Float32Array.from(floats).buffer);
    return { streams, choice: { starts, list, bits } };
  };
  function expectSameBits(...request: Parameters<FusedKernels['topKEncode']>): void {
    const want = chosen(whole, ...request);
    expect(want.streams).toBe(false);
    for (const kernels of [streamed, inBlocks]) {
      const got = chosen(kernels, ...request);
      expect(got.streams).toBe(true);
      expect(got.choice).toEqual(want.choice);
    }
  }

  function random(rows: number, d: number, latents: number, centred: boolean, make: 'normals' | 'ties') {
    const source = Random.fromSeed(7, latents);
    const numbers = (size: number) =>
      make === 'normals'
        ? source.normals(size)
        : Float32Array.from({ length: size }, () => source.below(5) - 2);
    const encoder: Encoder = {
      wEnc: tf.tensor2d(numbers(latents * d), [latents, d]),
      bEnc: tf.tensor1d(numbers(latents)),
      centre: centred ? tf.tensor1d(numbers(d)) : null,
    };
    return { x: tf.tensor2d(numbers(rows * d), [rows, d]), encoder };
  }

  test.each([
    ['normals', 70, 32, 1000, 1],
    ['normals', 70, 32, 1000, 11],
    ['ties', 16, 5, 700, 16],
    ['ties', 3, 5, 65, 64],
    ['ties', 130, 5, 129, 5],
  ] as const)(
    '%s: %i rows, d = %i, %i latents, k = %i, of all latents and of some',
    (make, rows, d, latents, k) => {
      const { x, encoder } = random(rows, d, latents, make === 'normals', make);
      expectSameBits(x, encoder, k);
      const some = Int32Array.from({ length: latents }, (_, i) => i).filter((i) => i % 7 !== 3);
      if (some.length > chunk) expectSameBits(x, encoder, k, some);
    },
  );

  // With d = 1, z = x·w + b gives any pre-activations, and with other x the same in reverse order, negated, or replaced.
  const latents = 1000;
  const ramp = Array.from({ length: latents }, (_, i) => i + 1);
  test.each([
    ['every latent beats all before it; none does', ramp],
    ['every latent is as large as all others', ramp.map(() => 3)],
    ['ties across the borders of chunks', ramp.map((i) => Math.ceil(i / 96))],
    ['all negative but the last', ramp.map((i) => i - latents + 0.5)],
    ['fewer than k fire, late', ramp.map((i) => (i === 640 || i === 999 ? i : -i))],
    ['numbers too small for 1/x', ramp.map((i) => i * 1e-44)],
  ])('%s', (_, z) => {
    const encoder = {
      wEnc: tf.tensor2d(z, [latents, 1]),
      bEnc: tf.zeros([latents]) as Tensor1D,
      centre: null,
    };
    const x = tf.tensor2d([1, -1, 0, 2, NaN, 1, -0], [7, 1]);
    for (const k of [1, 7, 64]) expectSameBits(x, encoder, k);
    const some = Int32Array.from(ramp, (i) => i - 1).filter((i) => i % 3 !== 0);
    expectSameBits(x, encoder, 7, some);
  });

  test('NaN and infinities, in the first chunk and in others', () => {
    const b = Float32Array.from(ramp);
    for (const [at, value] of [
      [3, Infinity],
      [63, -Infinity],
      [64, NaN],
      [130, Infinity],
      [131, -Infinity],
      [999, NaN],
    ])
      b[at] = value;
    const encoder = { wEnc: tf.zeros([latents, 1]) as Tensor2D, bEnc: tf.tensor1d(b), centre: null };
    for (const k of [1, 3, 4, 5, 20]) expectSameBits(tf.ones([3, 1]), encoder, k);
  });

  test('what is large enough streams by itself, up to a k just below the switch; what is small does not', () => {
    const byItself = table({});
    const { x, encoder } = random(3, 4, 4 * 8192 + 77, true, 'normals');
    const got = chosen(byItself, x, encoder, 2048);
    expect(got.streams).toBe(true);
    expect(got.choice).toEqual(chosen(whole, x, encoder, 2048).choice);
    const small = random(3, 4, 300, true, 'normals');
    expect(chosen(byItself, small.x, small.encoder, 5).streams).toBe(false);
  });

  test('few are listed: k·Σ 1/n over latents n after the first chunk, in any order of latents', () => {
    const [rows, latents, k] = [70, 1000, 8];
    const { x, encoder } = random(rows, 5, latents, false, 'normals');
    let listed = 0;
    const run = programs.run.bind(programs);
    const spy = vi.spyOn(programs, 'run').mockImplementation((program, operands, groups) => {
      run(program, operands, groups);
      const counts = operands[program.bindings.findIndex(([name]) => name === 'counts')] as Tensor;
      if (program.label === 'candidateProduct')
        listed += counts.dataSync<'int32'>().reduce((sum, n) => sum + n, 0);
    });
    streamed.topKEncode(x, encoder, k);
    spy.mockRestore();
    let expected = 0;
    for (let before = chunk; before < latents; before += chunk)
      expected += (rows * k * Math.min(chunk, latents - before)) / (before + 1);
    expect(Math.abs(listed / expected - 1)).toBeLessThan(0.1);
  });

  test('the same request twice gives the same bits', () => {
    const { x, encoder } = random(40, 5, 1500, false, 'ties');
    expect(chosen(streamed, x, encoder, 30)).toEqual(chosen(streamed, x, encoder, 30));
  });

  test('memory beyond the result: 8 bytes for each row and latent of a chunk', () => {
    const { x, encoder } = random(100, 5, 5000, false, 'normals');
    const used = (kernels: FusedKernels) => {
      const before = backend.bufferManager.numBytesUsed;
      let most = 0;
      const acquire = backend.bufferManager.acquireBuffer.bind(backend.bufferManager);
      const spy = vi.spyOn(backend.bufferManager, 'acquireBuffer').mockImplementation((...request) => {
        const buffer = acquire(...request);
        most = Math.max(most, backend.bufferManager.numBytesUsed - before);
        return buffer;
      });
      kernels.topKEncode(x, encoder, 8);
      spy.mockRestore();
      return most;
    };
    const result = 4 * (101 + 2 * 100 * 8);
    used(streamed);
    expect(used(whole)).toBeGreaterThanOrEqual(4 * 100 * 5000 + result);
    expect(used(streamed)).toBeLessThan(8 * 100 * chunk + result + 64 * 1024);
  });
});
