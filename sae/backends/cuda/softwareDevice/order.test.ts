/** Threads, blocks and streams in an order drawn from a seed. */
import { describe, expect, test } from 'vitest';
import { noSoftwareDevice } from '../cudaForTests.ts';
import { deviceForTests } from './deviceForTests.ts';

// The device's library reads it when it is first used, which is in this file's own process.
process.env.LAZYSCOPE_CUDA_ORDER = '11';

describe.skipIf(noSoftwareDevice)(`in random order${noSoftwareDevice}`, () => {
  test('a list that threads append to comes out differently, and what is ordered does not', async () => {
    const device = await deviceForTests(`
extern "C" __global__ void append(int* count, int* list) { list[atomicAdd(count, 1)] = blockIdx.x * blockDim.x + threadIdx.x; }
extern "C" __global__ void total(int* out) {
  __shared__ int ofWarp[2];
  int sum = threadIdx.x;
  for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffff, sum, distance);
  if (threadIdx.x % 32 == 0) ofWarp[threadIdx.x / 32] = sum;
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = ofWarp[0] + ofWarp[1];
}`);
    const append = () => {
      const list = device.allocate(4 * 256);
      device.run('append', { grid: 4, block: 64 }, [device.upload(Int32Array.of(0)), list]);
      return device.integers(list);
    };
    const [first, second] = [append(), append()];
    const inOrder = Array.from({ length: 256 }, (_, i) => i);
    for (const list of [first, second]) {
      expect(list).not.toEqual(inOrder);
      expect(list.toSorted((a, b) => a - b)).toEqual(inOrder);
    }
    expect(first).not.toEqual(second);
    const out = device.allocate(4 * 192);
    device.run('total', { grid: 3, block: 64 }, [out]);
    expect(device.integers(out)).toEqual(Array(192).fill(2016));
  });

  test('a copy on another stream overtakes what it should have waited for', async () => {
    const device = await deviceForTests(
      'extern "C" __global__ void twice(float* x) { x[threadIdx.x] *= 2.0f; }',
    );
    const { driver } = device;
    const other = device.device.newStream();
    const seen = new Set<number>();
    for (let attempt = 0; attempt < 20; attempt++) {
      const x = device.upload(Float32Array.of(1));
      device.device.synchronize();
      device.run('twice', { grid: 1, block: 1 }, [x]);
      // It writes what the kernel still reads; an event behind the kernel would order them.
      driver.call('cuMemsetD32Async', Number(x.address), 0, 1, other);
      driver.call('cuStreamSynchronize', other);
      seen.add(device.floats(x)[0]);
      device.run('twice', { grid: 1, block: 1 }, [x]);
      driver.call('cuMemsetD32Async', Number(x.address), 0x3f800000, 1, other);
      device.device.synchronize();
      driver.call('cuStreamSynchronize', other);
      seen.add(device.floats(x)[0]);
    }
    expect([...seen].sort()).toEqual([0, 1, 2]);
  });
});
