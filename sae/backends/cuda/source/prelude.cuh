// What all kernels share: constants, conversions, and the reductions over a warp and over a block.
//
// Sums have a fixed order, so that the same device gives the same bits on every run: each thread adds what is its own from the
// first element to the last, then the threads' sums are added in a tree whose shape depends only on the size of the block.
#pragma once

constexpr unsigned wholeWarp = 0xffffffffu;

__device__ inline float infinity() { return __int_as_float(0x7f800000); }
__device__ inline float notANumber() { return __int_as_float(0x7fc00000); }

__device__ inline long long globalThread() { return (long long)blockIdx.x * blockDim.x + threadIdx.x; }
__device__ inline long long globalThreads() { return (long long)gridDim.x * blockDim.x; }

// A float as bfloat16 bits, rounded to nearest even; NaN stays NaN.
__device__ inline unsigned short toBfloat16(float value) {
  const unsigned bits = __float_as_uint(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (unsigned short)((bits >> 16) | 0x40u);
  return (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
__device__ inline float fromBfloat16(unsigned short bits) { return __uint_as_float((unsigned)bits << 16); }

struct Sum {
  template <class T>
  __device__ T operator()(T a, T b) const { return a + b; }
};
struct Product {
  template <class T>
  __device__ T operator()(T a, T b) const { return a * b; }
};
// NaN wins over every number.
struct Largest {
  template <class T>
  __device__ T operator()(T a, T b) const { return a > b || a != a ? a : b; }
};
struct Smallest {
  template <class T>
  __device__ T operator()(T a, T b) const { return a < b || a != a ? a : b; }
};

// The combination of the values of `width` neighbouring lanes, in all of them; `width` is a power of 2.
template <int width = 32, class T, class Combine>
__device__ inline T combineLanes(T value, Combine combine) {
#pragma unroll
  for (int distance = width / 2; distance > 0; distance /= 2)
    value = combine(value, __shfl_xor_sync(wholeWarp, value, distance));
  return value;
}

// The combination of the values of all threads of a one-dimensional block of whole warps, in all of them.
// `identity` changes nothing when combined.
template <class T, class Combine>
__device__ inline T combineBlock(T value, T identity, Combine combine) {
  __shared__ T ofWarp[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  value = combineLanes(value, combine);
  if (warps == 1) return value;
  if (lane == 0) ofWarp[warp] = value;
  __syncthreads();
  value = combineLanes(lane < warps ? ofWarp[lane] : identity, combine);
  __syncthreads();  // so that the next call may write
  return value;
}
__device__ inline float sumOfBlock(float value) { return combineBlock(value, 0.0f, Sum()); }
__device__ inline double sumOfBlock(double value) { return combineBlock(value, 0.0, Sum()); }
__device__ inline int sumOfBlock(int value) { return combineBlock(value, 0, Sum()); }
__device__ inline float largestOfBlock(float value) { return combineBlock(value, -infinity(), Largest()); }

// The sum of the values of the threads before this one. `total` becomes the sum of all.
__device__ inline int sumBefore(int value, int& total) {
  __shared__ int ofWarp[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  int through = value;
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2) {
    const int before = __shfl_up_sync(wholeWarp, through, distance);
    if (lane >= distance) through += before;
  }
  if (lane == 31) ofWarp[warp] = through;
  __syncthreads();
  int before = 0;
  total = 0;
  for (int w = 0; w < warps; w++) {
    if (w < warp) before += ofWarp[w];
    total += ofWarp[w];
  }
  __syncthreads();
  return before + through - value;
}
