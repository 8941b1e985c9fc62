/** The report of accesses to memory that nothing orders. */
import { describe, expect, test } from 'vitest';
import { noSoftwareDevice } from '../cudaForTests.ts';
import { deviceForTests } from './deviceForTests.ts';

// The device's library reads it when it is first used, which is in this file's own process.
process.env.LAZYSCOPE_CUDA_RACES = '1';

/** The failure of the kernel, or null; `x` has 64 numbers, `bytes` 64 bytes. */
async function reported(body: string, block = 64): Promise<string | null> {
  const device = await deviceForTests(
    `extern "C" __global__ void kernel(float* x, unsigned char* bytes, int* counts) {\n${body}\n}`,
  );
  const x = device.upload(new Float32Array(64));
  const counts = device.upload(new Int32Array(64));
  device.run('kernel', { grid: 2, block, sharedBytes: 256 }, [x, device.allocate(64), counts]);
  const code = device.driver.functions.cuStreamSynchronize(device.device.stream);
  return code === 0 ? null : device.driver.errorText(code);
}

describe.skipIf(noSoftwareDevice)(`a race${noSoftwareDevice}`, () => {
  test('in shared memory, with both places', async () => {
    expect(
      await reported(`__shared__ float tile[64];
tile[threadIdx.x] = 1.0f;
if (blockIdx.x == 0) x[threadIdx.x] = tile[63 - threadIdx.x];`),
    ).toMatch(
      /race in kernel kernel in shared memory: a (write|read) by thread \d+ of block 0 at test\.cu:\d, and a (write|read) by thread \d+ of block 0 at test\.cu:\d/,
    );
  });

  test('in dynamic shared memory, within a warp: a shuffle orders nothing, __syncwarp does', async () => {
    const body = (between: string) => `extern __shared__ float tile[];
tile[threadIdx.x] = 1.0f;
${between};
const float read = tile[threadIdx.x ^ 1];
if (read == 7.0f) x[0] = read;`;
    expect(await reported(body('(void)__shfl_sync(0xffffffff, 1, 0)'))).toMatch(
      /race in kernel kernel in shared memory/,
    );
    expect(await reported(body('__syncwarp()'))).toBeNull();
  });

  test('a read before a write needs a barrier too', async () => {
    const body = (between: string) => `__shared__ float tile[64];
tile[threadIdx.x] = 1.0f;
__syncthreads();
const float read = tile[(threadIdx.x + 33) % 64];
${between};
tile[threadIdx.x] = read + 1.0f;`;
    expect(await reported(body(''))).toMatch(/race in kernel kernel in shared memory/);
    expect(await reported(body('__syncthreads()'))).toBeNull();
  });

  test('in global memory, between blocks', async () => {
    expect(await reported('if (threadIdx.x == 0) x[5] = 1.0f;')).toMatch(
      /in byte 20 of an allocation of 256: a write by thread 0 of block 1 .*, and a write by thread 0 of block 0/,
    );
    expect(await reported('if (threadIdx.x == 0) x[5 + blockIdx.x] = x[0];')).toBeNull();
  });

  test('neighbouring bytes are no race, the same byte is one', async () => {
    expect(await reported('bytes[blockIdx.x * 32 + threadIdx.x % 32] = 1;', 32)).toBeNull();
    expect(await reported('if (threadIdx.x < 2) bytes[40 + threadIdx.x / 2 + blockIdx.x] = 1;')).toMatch(
      /race/,
    );
  });

  test('atomic functions race with everything but each other', async () => {
    expect(await reported('atomicAdd(counts, 1); atomicMax(counts + 1, 2);')).toBeNull();
    expect(await reported('atomicAdd(counts, 1); if (threadIdx.x == 3) counts[0] = 2;')).toMatch(
      /an atomic function by/,
    );
  });

  test('an access outside of all memory, by a thread that has a name', async () => {
    expect(await reported('if (blockIdx.x == 1 && threadIdx.x == 9) x[64] = 1.0f;')).toMatch(
      /block \(1, 0, 0\), thread \(9, 0, 0\): a write of 4 bytes at 0x[0-9a-f]+ outside of all memory, at test\.cu:2/,
    );
    expect(await reported('if (threadIdx.x == 9) x[0] = *(volatile float*)(x + 4000);')).toMatch(
      /a read of 4 bytes/,
    );
    expect(
      await reported('__shared__ float tile[8]; volatile float* t = tile; t[threadIdx.x * 2] = 1.0f;'),
    ).toMatch(/a write of 4 bytes .* outside/);
  });
});
