import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { cudaForTests, noSoftwareDevice } from './cudaForTests.ts';
import type { CudaBackend } from './cudaBackend.ts';
import { capacityFor, DeviceMemory } from './deviceMemory.ts';
import { Transfers } from './transfers.ts';

test('a capacity is enough, and wastes an eighth or 2 MB at most', () => {
  const random = Random.fromSeed(1, 'capacities');
  const sizes = [0, 1, 511, 512, 513, 4096, 2 ** 21, 2 ** 24 + 1, 2 ** 40 + 3];
  for (let n = 0; n < 1000; n++) sizes.push(Math.floor(2 ** (40 * random.uniform())));
  for (const bytes of sizes) {
    const capacity = capacityFor(bytes);
    expect(capacity % 512).toBe(0);
    expect(capacity).toBeGreaterThanOrEqual(Math.max(bytes, 512));
    expect(capacity - bytes).toBeLessThanOrEqual(Math.min(Math.max(512, bytes / 8), 2 ** 21));
    expect(capacityFor(capacity)).toBe(capacity);
  }
});

const wait = `
  extern "C" __global__ void add(const float* x, float* y, int count) {
    for (int i = threadIdx.x; i < count; i += blockDim.x) y[i] = x[i] + 1;
  }`;

describe.skipIf(noSoftwareDevice)(`on the software device${noSoftwareDevice}`, () => {
  let backend: CudaBackend;
  process.env.LAZYSCOPE_CUDA_MEMORY = String(2 ** 28);
  // Streams take turns in an order of their own, so that an event that is missing is seen.
  process.env.LAZYSCOPE_CUDA_ORDER = '1';
  beforeAll(async () => void (backend = await cudaForTests({ 'add.cu': wait })));

  test('memory that was given back is taken again, by whoever needs as much', () => {
    const memory = new DeviceMemory(backend.device);
    const first = memory.take(10_000);
    const other = memory.take(10_000);
    expect(other.address).not.toBe(first.address);
    memory.give(first);
    expect(memory.take(9_900).address).toBe(first.address);
    expect(memory.bytes).toEqual({ used: 2 * capacityFor(10_000), kept: 0, peak: 2 * capacityFor(10_000) });
  });

  test('giving back twice, or what was never taken, is an error', () => {
    const memory = new DeviceMemory(backend.device);
    const buffer = memory.take(100);
    memory.give(buffer);
    expect(() => memory.give(buffer)).toThrow(/given back twice/);
    expect(() => memory.give({ address: 12n, bytes: 4 })).toThrow(/given back twice/);
  });

  test('where the device is full, what is kept goes first; then the error says what is there', () => {
    const memory = new DeviceMemory(backend.device);
    const half = Math.floor(backend.device.totalBytes * 0.6);
    memory.give(memory.take(half));
    expect(memory.bytes.kept).toBe(capacityFor(half));
    const larger = memory.take(half + 2 ** 25);
    expect(memory.bytes.kept).toBe(0);
    expect(() => memory.take(half)).toThrow(
      /^The GPU \(.*\) has no memory for [\d,]+ MB more: of its [\d,]+ MB this process uses [\d,]+ and [\d,]+ are free\. Use a smaller batch/,
    );
    memory.give(larger);
    memory.release();
    memory.give(memory.take(half));
    memory.release();
  });

  test('a large upload into memory that a waiting kernel still reads comes after that kernel', () => {
    const memory = new DeviceMemory(backend.device);
    const transfers = new Transfers(backend.device, memory);
    const count = 2 ** 19;
    const filled = (value: number) => new Float32Array(count).fill(value);
    const results = [];
    for (let step = 0; step < 6; step++) {
      const x = transfers.uploaded(filled(step));
      const y = memory.take(4 * count + 4096);
      backend.programs.run({ file: 'add.cu', name: 'add' }, { grid: 1, block: 64 }, [x, y, count]);
      memory.give(x);
      results.push(y);
    }
    const got = new Float32Array(count);
    for (const [step, y] of results.entries()) {
      transfers.download(y, got);
      expect(got.every((value) => value === step + 1)).toBe(true);
    }
  });
});
