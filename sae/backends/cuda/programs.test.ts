import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cudaForTests, noSoftwareDevice } from './cudaForTests.ts';
import type { CudaBackend } from './cudaBackend.ts';

const files = {
  'by.cuh': '__device__ inline float by(float x) { return x * BY; }',
  'scale.cu': `
    #include "by.cuh"
    extern "C" __global__ void scale(const float* x, float* y, int count, float plus) {
      const int i = blockIdx.x * blockDim.x + threadIdx.x;
      if (i < count) y[i] = by(x[i]) + plus;
    }
    extern "C" __global__ void nothing() {}`,
  'index.cu': `
    extern "C" __global__ void index(int* y) {
      const int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
      const int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
      y[block * blockDim.x * blockDim.y * blockDim.z + thread] = 1000 * block + thread;
    }`,
  'shared.cu': `
    extern "C" __global__ void reversed(const float* x, float* y, int count) {
      extern __shared__ float kept[];
      for (int i = threadIdx.x; i < count; i += blockDim.x) kept[i] = x[i];
      __syncthreads();
      for (int i = threadIdx.x; i < count; i += blockDim.x) y[i] = kept[count - 1 - i];
    }`,
  'broken.cu': 'extern "C" __global__ void broken(int* y) { y[0] = undefinedName; }',
} as const;

describe.skipIf(noSoftwareDevice)(`on the software device${noSoftwareDevice}`, () => {
  let backend: CudaBackend;
  const images = mkdtempSync(join(tmpdir(), 'lazyscope-images-'));
  beforeAll(async () => {
    backend = await cudaForTests(files, images);
  });
  afterAll(() => rmSync(images, { recursive: true, force: true }));
  const values = Float32Array.from({ length: 1000 }, (_, i) => i / 8);
  const read = (buffer: { address: bigint; bytes: number }) => {
    const out = new Float32Array(buffer.bytes / 4);
    backend.transfers.download(buffer, out);
    return out;
  };
  const scaled = (BY: number, from = backend) => {
    const [x, y] = [from.transfers.uploaded(values), from.scratch(4000)];
    from.programs.run({ file: 'scale.cu', name: 'scale', define: { BY } }, { grid: 4, block: 256 }, [
      x,
      y,
      1000,
      0.5,
    ]);
    const out = new Float32Array(1000);
    from.transfers.download(y, out);
    from.give(x);
    from.give(y);
    return out;
  };

  test('a kernel runs with its definitions, each a program of its own', () => {
    expect(scaled(2)).toEqual(values.map((x) => 2 * x + 0.5));
    expect(scaled(3)).toEqual(values.map((x) => 3 * x + 0.5));
    expect(scaled(2)).toEqual(values.map((x) => 2 * x + 0.5));
  });

  test('blocks and threads have three dimensions; a grid without blocks computes nothing', () => {
    const y = backend.scratch(4 * 2 * 3 * 2 * 4 * 2 * 2);
    backend.fill(y, 7, y.bytes / 4);
    const request = { file: 'index.cu', name: 'index' };
    backend.programs.run(request, { grid: [2, 0, 2], block: [4, 2, 2] }, [y]);
    const ints = () => new Int32Array(read(y).buffer);
    expect(ints().every((v) => v === 7)).toBe(true);
    backend.programs.run(request, { grid: [2, 3, 2], block: [4, 2, 2] }, [y]);
    expect([...ints()]).toEqual(Array.from(ints(), (_, i) => 1000 * Math.floor(i / 16) + (i % 16)));
    backend.give(y);
  });

  test('more shared memory than every device has is asked for first', () => {
    const count = 15_000;
    const x = Float32Array.from({ length: count }, (_, i) => i);
    const [from, to] = [backend.transfers.uploaded(x), backend.scratch(4 * count)];
    const request = { file: 'shared.cu', name: 'reversed' };
    backend.programs.run(request, { grid: 1, block: 128, sharedBytes: 4 * count }, [from, to, count]);
    expect(read(to)).toEqual(x.reverse());
    expect(() =>
      backend.programs.run(request, { grid: 1, block: 128, sharedBytes: 2 ** 20 }, [from, to, 1]),
    ).toThrow(/reversed asks for 1048576 bytes/);
    for (const buffer of [from, to]) backend.give(buffer);
  });

  test('what is compiled once is found by the next process; an image that the driver refuses is compiled again', async () => {
    scaled(5);
    const made = readdirSync(images);
    const next = await cudaForTests(files, images);
    expect(scaled(5, next)).toEqual(values.map((x) => 5 * x + 0.5));
    expect(readdirSync(images)).toEqual(made);
    const gone = Buffer.from('/nowhere/module.so\0');
    const digest = createHash('sha256').update(gone).digest();
    for (const name of made) writeFileSync(join(images, name), Buffer.concat([digest, gone]));
    const last = await cudaForTests(files, images);
    expect(scaled(5, last)).toEqual(values.map((x) => 5 * x + 0.5));
    // Only the entry that was needed has been replaced.
    expect(made.filter((name) => !readFileSync(join(images, name)).includes('/nowhere')).length).toBe(1);
  });

  test.each([
    [
      'a kernel that is not there',
      { file: 'scale.cu', name: 'scales', define: { BY: 1 } },
      /scale\.cu has no .* scales/,
    ],
    ['a source that does not compile', { file: 'broken.cu', name: 'broken' }, /broken\.cu.*undefinedName/],
  ])('%s is an error that names it', (_, request, message) => {
    expect(() => backend.programs.run(request, { grid: 1, block: 1 }, [null])).toThrow(message);
  });

  test('a launch that the device refuses is an error with its sizes', () => {
    const request = { file: 'scale.cu', name: 'nothing', define: { BY: 1 } };
    expect(() => backend.programs.run(request, { grid: 3, block: [64, 32, 1] }, [])).toThrow(
      /cuLaunchKernel of nothing, 3×1×1 blocks of 64×32×1 threads.*CUDA_ERROR_INVALID_VALUE/,
    );
  });

  test('times are by kernel and phase, and only of what runs meanwhile', async () => {
    scaled(2);
    const x = backend.transfers.uploaded(values);
    const times = await backend.timed(async () => {
      for (let n = 0; n < 3; n++) backend.programs.during('encode', () => scaled(2));
      scaled(2);
      backend.programs.during('gradients', () => backend.fill(x, 0, 1000));
    });
    scaled(2);
    const seen = times.map(({ kernel, phase, calls }) => `${phase} ${kernel} ${calls}`).sort();
    expect(seen).toEqual(['encode scale 3', 'gradients fill 1', 'other scale 1']);
    for (const { milliseconds } of times) expect(milliseconds).toBeGreaterThanOrEqual(0);
    backend.give(x);
  });
});
