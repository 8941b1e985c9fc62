/** The choice made chunk by chunk against the one from the whole matrix of pre-activations: the same bits, whatever comes. */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { Encoder, FusedKernels } from '../../ops/fusedKernels.ts';
import { Random } from '../../tensor/random.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
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
  let subgroups: boolean;
  const table = (options: SelectionOptions, shared = subgroups) => {
    const programs = new Programs(backend, { subgroups: shared });
    return webgpuFusedKernels(backend, programs, new Products(backend, programs), options);
  };
  let whole: FusedKernels;
  let streamed: FusedKernels;
  let throughMemory: FusedKernels | null = null;
  /** Four chunks hold few enough latents for a test, and one row's lists overflow into its neighbour's if they can. */
  const chunk = 64;

  beforeAll(async () => {
    await startBackend('webgpu');
    backend = tf.backend() as DeviceBackend;
    subgroups = await hasOrderedSubgroups(backend.device);
    whole = table({ topKChunk: null });
    streamed = table({ topKChunk: chunk });
    // Of five rows a block.
    if (subgroups) throughMemory = table({ topKChunk: chunk, blockBytes: 5 * 8 * chunk }, false);
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
    for (const kernels of [streamed, throughMemory]) {
      if (!kernels) continue;
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
    [70, 32, 1000, 1],
    [70, 32, 1000, 11],
    [6, 33, 640, 16],
    [3, 5, 65, 64],
    [130, 8, 129, 5],
  ])('%i rows, d = %i, %i latents, k = %i: normal numbers, ties everywhere, among some', (...shape) => {
    const [rows, d, latents, k] = shape;
    const some = Int32Array.from({ length: latents }, (_, i) => i).filter((i) => i % 7 !== 3);
    for (const [centred, make] of [
      [true, 'normals'],
      [false, 'ties'],
    ] as const) {
      const { x, encoder } = random(rows, d, latents, centred, make);
      expectSameBits(x, encoder, k);
      if (some.length > chunk && k < chunk) expectSameBits(x, encoder, k, some);
    }
  });

  // z = x·w + b with d = 1: pre-activations at will, and the same backwards, negated, or lost in a row of another kind.
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

  test('sizes that stream by themselves, k just below the switch and above it', () => {
    const { x, encoder } = random(3, 4, 4 * 8192 + 77, true, 'normals');
    const byItself = table({});
    for (const k of [40, 2048]) {
      const got = chosen(byItself, x, encoder, k);
      expect(got.streams).toBe(true);
      expect(got.choice).toEqual(chosen(whole, x, encoder, k).choice);
    }
    expect(chosen(byItself, x, encoder, 2049).streams).toBe(false);
  });

  test('the same request twice gives the same bits', () => {
    const { x, encoder } = random(40, 16, 1500, false, 'ties');
    expect(chosen(streamed, x, encoder, 30)).toEqual(chosen(streamed, x, encoder, 30));
  });

  test('memory beyond the result: 8 bytes for each row and latent of a chunk', () => {
    const { x, encoder } = random(100, 4, 5000, false, 'normals');
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
