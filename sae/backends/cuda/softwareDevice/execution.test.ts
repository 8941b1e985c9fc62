/** CUDA's execution model on the software device: each kernel has an answer that is known without it. */
import { beforeAll, describe, expect, test } from 'vitest';
import { noSoftwareDevice } from '../cudaForTests.ts';
import { type DeviceForTests, deviceForTests } from './deviceForTests.ts';

const kernels = `
extern "C" __global__ void arguments(float* out, int a, unsigned b, long long c, float d, double e, const float* none) {
  out[0] = a; out[1] = b; out[2] = (float)(c >> 32); out[3] = d; out[4] = (float)e; out[5] = none == nullptr;
}
extern "C" __global__ void places(int* out) {
  const int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] = 1000 * block + thread;
}
// Each block turns its part around, by a static and by a dynamic array.
extern "C" __global__ void reverse(const float* in, float* out) {
  __shared__ float tile[64], twice[2][64];
  extern __shared__ float dynamic[];
  const int i = threadIdx.x;
  tile[i] = in[blockIdx.x * 64 + i];
  twice[1][i] = 0.0f;
  __syncthreads();
  dynamic[i] = tile[63 - i] + twice[1][i];
  __syncthreads();
  out[blockIdx.x * 64 + i] = dynamic[i];
}
extern "C" __global__ void uninitialised(float* out) {
  __shared__ float tile[32];
  out[threadIdx.x] = tile[threadIdx.x];
}
extern "C" __global__ void shuffles(int* out) {
  const int lane = threadIdx.x, all = 0xffffffff;
  out[lane] = __shfl_sync(all, lane, 3, 8);
  out[32 + lane] = __shfl_up_sync(all, lane, 2, 16);
  out[64 + lane] = __shfl_down_sync(all, lane, 5);
  out[96 + lane] = __shfl_xor_sync(all, lane, 17);
  out[128 + lane] = __shfl_xor_sync(all, lane, 8, 8);
}
extern "C" __global__ void wide(double* out) { out[threadIdx.x] = __shfl_sync(0xffffffff, 0.5 + threadIdx.x, 31 - threadIdx.x); }
extern "C" __global__ void votes(int* out) {
  const int lane = threadIdx.x;
  out[lane] = __ballot_sync(0xffffffff, lane % 3 == 0);
  out[32 + lane] = __any_sync(0xffffffff, lane == 40) * 2 + __all_sync(0xffffffff, lane < 32);
  out[64 + lane] = __match_any_sync(0xffffffff, lane % 4);
  out[96 + lane] = __reduce_add_sync(0xffffffff, lane);
  out[128 + lane] = __reduce_min_sync(0xffffffff, 5 - lane);
  // Half of the warp for itself.
  out[160 + lane] = lane < 16 ? __reduce_max_sync(0x0000ffff, (unsigned)lane) : __reduce_max_sync(0xffff0000, (unsigned)lane);
}
extern "C" __global__ void atomics(int* counts, float* sum, unsigned long long* largest) {
  atomicAdd(&counts[threadIdx.x % 3], 1);
  atomicSub(counts + 3, 2);
  atomicMax(counts + 4, (int)threadIdx.x);
  atomicCAS(counts + 5, -7, (int)threadIdx.x);
  atomicAdd(sum, 0.5f);
  atomicMax(largest, (unsigned long long)threadIdx.x << 40);
}
extern "C" __global__ void counted(int* out) {
  const int n = __syncthreads_count(threadIdx.x < 5);
  const int both = __syncthreads_and(threadIdx.x < 99) * 2 + __syncthreads_or(threadIdx.x == 7);
  out[threadIdx.x] = 10 * n + both;
}
extern "C" __global__ void integers(int* out) {
  out[0] = __popc(0xf0f0u); out[1] = __clz(1); out[2] = __ffs(8); out[3] = (int)__brev(1u); out[4] = __float_as_int(1.0f);
  out[5] = __float2int_rn(2.5f); out[6] = __float2int_rz(-2.7f); out[7] = (int)__byte_perm(0x03020100u, 0x07060504u, 0x7531u);
  out[8] = __dp4a(0x01ff02fe, 0x02030405, 100); out[9] = (int)__umulhi(0x80000000u, 6u); out[10] = (int)max(3.5f, __int_as_float(0x7fc00000));
}
template <int n> __device__ int own() {
  __shared__ int place;
  if (threadIdx.x == 0) place = n;
  __syncthreads();
  return place;
}
extern "C" __global__ void __launch_bounds__(64) instances(int* out) { out[threadIdx.x] = own<1>() * 10 + own<2>(); }
`;

describe.skipIf(noSoftwareDevice)(`the software device's threads${noSoftwareDevice}`, () => {
  let device: DeviceForTests;
  beforeAll(async () => {
    device = await deviceForTests(kernels);
  });
  const lanes = (f: (lane: number) => number) => Array.from({ length: 32 }, (_, lane) => f(lane));

  test('arguments of every type arrive', () => {
    const out = device.allocate(24);
    device.run('arguments', { grid: 1, block: 1 }, [out, -3, 4_000_000_000, 5n << 32n, 0.25, -0.125, null]);
    expect(device.floats(out)).toEqual([-3, 4_000_000_000, 5, 0.25, -0.125, 1]);
  });

  test('every thread of a grid of three dimensions knows its place', () => {
    const out = device.allocate(4 * 24 * 30);
    device.run('places', { grid: [2, 3, 4], block: [5, 3, 2] }, [out]);
    const expected = Array.from({ length: 720 }, (_, i) => 1000 * Math.floor(i / 30) + (i % 30));
    expect(device.integers(out)).toEqual(expected);
  });

  test('threads meet at barriers and share memory, static and dynamic', () => {
    const values = Float32Array.from({ length: 640 }, (_, i) => i * 1.5);
    const out = device.allocate(values.byteLength);
    device.run('reverse', { grid: 10, block: 64, sharedBytes: 256 }, [device.upload(values), out]);
    expect(device.floats(out)).toEqual(
      Array.from(values, (_, i) => values[Math.floor(i / 64) * 64 + 63 - (i % 64)]),
    );
  });

  test('memory that nobody has written is not a number', () => {
    const out = device.allocate(128);
    expect(device.floats(out).every(Number.isNaN)).toBe(true);
    device.run('uninitialised', { grid: 1, block: 32 }, [out]);
    expect(device.floats(out).every(Number.isNaN)).toBe(true);
  });

  test('shuffles read the lanes that the programming guide says', () => {
    const out = device.allocate(4 * 160);
    device.run('shuffles', { grid: 1, block: 32 }, [out]);
    expect(device.integers(out)).toEqual([
      ...lanes((lane) => Math.floor(lane / 8) * 8 + 3),
      ...lanes((lane) => (lane % 16 >= 2 ? lane - 2 : lane)),
      ...lanes((lane) => (lane + 5 < 32 ? lane + 5 : lane)),
      ...lanes((lane) => lane ^ 17),
      // A lane of a later segment can't be read, one of an earlier segment can.
      ...lanes((lane) => ((lane ^ 8) < Math.floor(lane / 8) * 8 + 8 ? lane ^ 8 : lane)),
    ]);
  });

  test('a shuffle moves a double whole', () => {
    const out = device.allocate(256);
    device.run('wide', { grid: 1, block: 32 }, [out]);
    const doubles = new Float64Array(Int32Array.from(device.integers(out)).buffer);
    expect([...doubles]).toEqual(lanes((lane) => 31.5 - lane));
  });

  test('votes, matches and reductions of a warp, and of half of one', () => {
    const out = device.allocate(4 * 192);
    device.run('votes', { grid: 1, block: 32 }, [out]);
    expect(device.integers(out)).toEqual([
      ...lanes(() => 0x49249249),
      ...lanes(() => 1),
      ...lanes((lane) => (0x11111111 << (lane % 4)) | 0),
      ...lanes(() => 496),
      ...lanes(() => -26),
      ...lanes((lane) => (lane < 16 ? 15 : 31)),
    ]);
  });

  test('atomic functions lose nothing, whichever block calls them', () => {
    const counts = device.upload(Int32Array.of(0, 0, 0, 0, 0, -7));
    const sum = device.upload(Float32Array.of(1));
    const largest = device.upload(Int32Array.of(0, 0));
    device.run('atomics', { grid: 50, block: 96 }, [counts, sum, largest]);
    expect(device.integers(counts).slice(0, 5)).toEqual([1600, 1600, 1600, -9600, 95]);
    expect(device.integers(counts)[5]).toBeGreaterThanOrEqual(0);
    expect(device.floats(sum)).toEqual([2401]);
    expect(device.integers(largest)).toEqual([0, 95 << 8]);
  });

  test('barriers that count', () => {
    const out = device.allocate(4 * 48);
    device.run('counted', { grid: 1, block: 48 }, [out]);
    expect(device.integers(out)).toEqual(Array(48).fill(53));
  });

  test('integer and rounding intrinsics', () => {
    const out = device.allocate(44);
    device.run('integers', { grid: 1, block: 1 }, [out]);
    // dp4a of the bytes 1, -1, 2, -2 and 2, 3, 4, 5, on 100.
    expect(device.integers(out)).toEqual([8, 31, 4, -0x80000000, 0x3f800000, 2, -2, 0x07050301, 97, 3, 3]);
  });

  test('every instance of a template has shared memory of its own', () => {
    const out = device.allocate(256);
    device.run('instances', { grid: 1, block: 64 }, [out]);
    expect(device.integers(out)).toEqual(Array(64).fill(12));
  });
});
