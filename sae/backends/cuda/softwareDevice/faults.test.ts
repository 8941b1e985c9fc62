/** What a GPU forgives, or answers with a hang or with garbage, and the software device with an error. */
import { describe, expect, test } from 'vitest';
import { noSoftwareDevice } from '../cudaForTests.ts';
import { type DeviceForTests, deviceForTests } from './deviceForTests.ts';

const one = `
extern "C" __global__ void increase(float* x, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) x[i] += 1.0f;
}`;

/** The words of the failure that the launch ends with. */
async function failure(body: string, block = 64, more = ''): Promise<string> {
  const device = await deviceForTests(`${more}
extern "C" __global__ void faulty(float* x) { ${body} }`);
  device.run('faulty', { grid: [1, 2, 1], block }, [device.allocate(4 * 64)]);
  const code = device.driver.functions.cuStreamSynchronize(device.device.stream);
  expect(device.driver.errorName(code)).toBe('CUDA_ERROR_LAUNCH_FAILED');
  // As on a GPU, nothing works any more.
  expect(device.driver.functions.cuMemAlloc([0], 4)).toBe(code);
  return device.driver.errorText(code);
}

describe.skipIf(noSoftwareDevice)(`the software device refuses${noSoftwareDevice}`, () => {
  test('a barrier that only some threads reach', async () => {
    expect(await failure('if (threadIdx.x < 40) __syncthreads();')).toMatch(
      /kernel faulty, block \(0, [01], 0\), thread \(0, 0, 0\) waits in __syncthreads at test\.cu:2, but thread 40 of the block has returned/,
    );
  });

  test('a barrier in two branches', async () => {
    expect(
      await failure('if (threadIdx.x < 32) __syncthreads();\n else __syncthreads();\n x[0] = 1.0f;'),
    ).toMatch(
      /waits in __syncthreads at test\.cu:2, but thread 32 of the block waits in __syncthreads at test\.cu:3/,
    );
  });

  test('a shuffle that not all lanes of its mask join', async () => {
    expect(await failure('if (threadIdx.x % 32 != 7) x[0] = __shfl_xor_sync(0xffffffff, 1.0f, 1);')).toMatch(
      /thread \(0, 0, 0\) waits in __shfl_xor_sync with mask 0xffffffff at test\.cu:2, but lane 7 has returned/,
    );
  });

  test('a shuffle by a warp that lacks threads', async () => {
    expect(await failure('x[0] = __shfl_down_sync(0xffffffff, 1.0f, 1);', 48)).toMatch(
      /but its warp has only 16 threads/,
    );
  });

  test('a shuffle from a lane outside of its mask', async () => {
    expect(await failure('if (threadIdx.x < 16) x[0] = __shfl_sync(0xffff, 1.0f, 20);')).toMatch(
      /__shfl_sync at test\.cu:2 reads lane 20, which is not in the mask 0x0000ffff/,
    );
  });

  test('a mask without the caller', async () => {
    expect(await failure('x[0] = __ballot_sync(0xff, 1);')).toMatch(/does not name the calling lane/);
  });

  test('more static shared memory than a block can have', async () => {
    expect(await failure('__shared__ float big[12289]; big[threadIdx.x] = 1; x[0] = big[0];')).toMatch(
      /static and dynamic shared memory of 49156 bytes, and 49152 are allowed/,
    );
  });

  test('an assertion that fails', async () => {
    expect(await failure('assert(threadIdx.x < 10);')).toMatch(
      /thread \(10, 0, 0\): assertion threadIdx\.x < 10 failed at test\.cu:2/,
    );
  });

  test('launches that no GPU takes', async () => {
    const device = await deviceForTests(one);
    const x = device.allocate(4);
    expect(() => device.run('increase', { grid: 1, block: 1025 }, [x, 1])).toThrow(/1025 × 1 × 1 threads/);
    expect(() => device.run('increase', { grid: [1, 65536, 1], block: 1 }, [x, 1])).toThrow(
      /grid of 1 × 65536 × 1/,
    );
    expect(() => device.run('increase', { grid: 1, block: 1, sharedBytes: 100 * 1024 }, [x, 1])).toThrow(
      /102400 bytes/,
    );
  });

  test('a block larger than the kernel’s launch bounds', async () => {
    const device = await deviceForTests(`constexpr int threads = 64;
extern "C" __global__ void __launch_bounds__(threads * 2, 3) bounded(float* x) { x[threadIdx.x] = 1.0f; }`);
    const x = device.allocate(4 * 160);
    device.run('bounded', { grid: 1, block: 128 }, [x]);
    expect(() => device.run('bounded', { grid: 1, block: 160 }, [x])).toThrow(/launch_bounds__ allow 128/);
  });

  test('an address that is no memory, and a division by zero', async () => {
    expect(
      await failure('if (threadIdx.x == 5) ((float*)(unsigned long long)(blockDim.x - 64))[8] = x[0];'),
    ).toMatch(
      /kernel faulty, block \(0, [01], 0\), thread \(5, 0, 0\): an access to an address that is no memory \(0x20\)/,
    );
    expect(await failure('x[0] = 7 / (int)(blockDim.x - 64);')).toMatch(/a division that has no result/);
  });

  test('more stack than a thread has', async () => {
    const recursion =
      '__device__ __attribute__((noinline)) float deep(float x, int n) { volatile float own[4096]; own[n % 7] = x; return n == 0 ? x : own[n % 7] + deep(x, n - 1); }';
    expect(await failure('x[0] = deep(x[1], 1000 + (int)x[2]);', 64, recursion)).toMatch(
      /an access to an address that is no memory/,
    );
  });

  test('a kernel with a warning', async () => {
    const device = await deviceForTests(
      'extern "C" __global__ void unused(float* x) { int y; x[0] = 1.0f; }',
    );
    expect(() => device.run('unused', { grid: 1, block: 1 }, [device.allocate(4)])).toThrow(
      /test\.cu.*unused variable/,
    );
  });

  test('copies and fills that leave their memory', async () => {
    const device = await deviceForTests(one);
    const { driver } = device;
    const [a, b] = [device.allocate(40), device.allocate(400)].map(({ address }) => Number(address));
    const { stream } = device.device;
    expect(() => driver.call('cuMemcpyDtoDAsync', a + 8, b, 40, stream)).toThrow(
      /40 bytes from byte 8 of an allocation of 40 bytes/,
    );
    expect(() => driver.call('cuMemcpyDtoDAsync', b + 4, b, 40, stream)).toThrow(/overlap/);
    expect(() => driver.call('cuMemsetD32Async', a, 0, 11, stream)).toThrow(/44 bytes from byte 0/);
    driver.call('cuMemFree', a);
    expect(() => driver.call('cuMemsetD32Async', a, 0, 1, stream)).toThrow(/no memory of the device/);
    expect(() => driver.call('cuMemFree', a)).toThrow(/not allocated/);
  });
});

describe.skipIf(noSoftwareDevice)(`the software device shows${noSoftwareDevice}`, () => {
  /** A pinned float, and what it holds. */
  async function pinned(device: DeviceForTests): Promise<{ address: number; value: () => number }> {
    const { default: koffi } = await import('koffi');
    const address = device.driver.read('cuMemHostAlloc', 4, 0);
    const view = new Float32Array(koffi.view(BigInt(address), 4));
    return { address, value: () => view[0] };
  }

  test('that a result is read before it is there', async () => {
    const device = await deviceForTests(one);
    const { address, value } = await pinned(device);
    const x = device.upload(Float32Array.of(41));
    device.run('increase', { grid: 1, block: 32 }, [x, 1]);
    device.driver.call('cuMemcpyDtoHAsync', address, Number(x.address), 4, device.device.stream);
    expect(value()).toBeNaN();
    device.device.synchronize();
    expect(value()).toBe(42);
  });

  test('that one stream does not wait for another', async () => {
    const device = await deviceForTests(one);
    const { driver } = device;
    const { address, value } = await pinned(device);
    const other = device.device.newStream();
    const x = device.upload(Float32Array.of(41));
    device.device.synchronize();
    device.run('increase', { grid: 1, block: 32 }, [x, 1]);
    const copy = () => {
      driver.call('cuMemcpyDtoHAsync', address, Number(x.address), 4, other);
      driver.call('cuStreamSynchronize', other);
    };
    copy();
    expect(value()).toBe(41);
    const event = device.device.newEvent({ timing: false });
    driver.call('cuEventRecord', event, device.device.stream);
    driver.call('cuStreamWaitEvent', other, event, 0);
    copy();
    expect(value()).toBe(42);
  });

  test('that pinned memory is changed under a copy that still runs', async () => {
    const device = await deviceForTests(one);
    const { default: koffi } = await import('koffi');
    const address = device.driver.read('cuMemHostAlloc', 4, 0);
    const view = new Float32Array(koffi.view(BigInt(address), 4));
    view[0] = 1;
    const x = device.allocate(4);
    device.driver.call('cuMemcpyHtoDAsync', Number(x.address), address, 4, device.device.stream);
    view[0] = 2;
    expect(device.floats(x)).toEqual([2]);
  });

  test('an event that has not passed, once', async () => {
    const device = await deviceForTests(one);
    const event = device.device.newEvent({ timing: true });
    device.driver.call('cuEventRecord', event, device.device.stream);
    const codes = [1, 2, 3].map(() => device.driver.functions.cuEventQuery(event));
    expect(codes).toEqual([600, 0, 0]);
  });

  test('the time between two events, and only of those that have passed', async () => {
    const device = await deviceForTests(one);
    const { driver } = device;
    const [start, end] = [device.device.newEvent({ timing: true }), device.device.newEvent({ timing: true })];
    driver.call('cuEventRecord', start, device.device.stream);
    device.run('increase', { grid: 100, block: 1024 }, [device.allocate(4 * 102_400), 102_400]);
    driver.call('cuEventRecord', end, device.device.stream);
    const place = [0];
    expect(driver.functions.cuEventElapsedTime(place, start, end)).toBe(600);
    device.device.synchronize();
    expect(driver.functions.cuEventElapsedTime(place, start, end)).toBe(0);
    expect(place[0]).toBeGreaterThan(0);
  });

  test('that there is no memory left', async () => {
    const device = await deviceForTests(one);
    const { driver } = device;
    const total = driver.read('cuDeviceTotalMem', 0);
    expect(() => driver.read('cuMemAlloc', total + 1)).toThrow(/OUT_OF_MEMORY/);
  });
});
