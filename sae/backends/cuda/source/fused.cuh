/**
 * What the fused kernels share: sums over warps and blocks in a fixed order, rows of d numbers split over the threads of a block, and
 * the order of activations. Kernels are compiled for one d: VECTOR numbers are loaded at once (4 where d allows it), and a
 * thread has the vectors thread, thread + THREADS, … of a row, COLUMNS of them; BLOCKS such blocks are to share a multiprocessor.
 */
#pragma once
#include "prelude.cuh"

constexpr int warpThreads = 32;

/** The sum over the warp, the same bits in every lane. */
__device__ inline float warpTotal(float value) { return combineLanes(value, Sum()); }
__device__ inline int warpTotal(int value) { return combineLanes(value, Sum()); }

/** The sum over lower lanes and the own one. */
__device__ inline int warpRunning(int value) {
  const int lane = threadIdx.x % warpThreads;
  for (int offset = 1; offset < warpThreads; offset *= 2) {
    const int lower = __shfl_up_sync(wholeWarp, value, offset);
    if (lane >= offset) value += lower;
  }
  return value;
}

/** Whether a latent fires: z > θ, or z is NaN, so that it reaches the loss and is noticed. */
__device__ inline bool fires(float z, float threshold) { return z > threshold || z != z; }

/** z where the latent fires, 0 elsewhere. */
__device__ inline float activation(float z, float threshold) { return fires(z, threshold) ? z : 0.0f; }

/**
 * Orders ReLU(z) as unsigned integers do: 0 where a latent doesn't fire, the bits of positive numbers, and those of ∞ for
 * whatever is not finite.
 */
constexpr unsigned notFinite = 0x7f800000u;
__device__ inline unsigned rankOf(float z) {
  if (!fires(z, 0.0f)) return 0u;
  const unsigned bits = __float_as_uint(z) & 0x7fffffffu;
  return bits < notFinite ? bits : notFinite;
}

/** The activation that a rank stands for; NaN for what is not finite. */
__device__ inline float ofRank(unsigned rank) {
  return __uint_as_float(rank < notFinite ? rank : 0x7fc00000u);
}

#ifdef VECTOR
/** VECTOR consecutive numbers. */
struct Numbers {
  float at[VECTOR];
};

__device__ inline Numbers load(const float *from) {
  Numbers numbers;
#if VECTOR == 4
  const float4 four = *reinterpret_cast<const float4 *>(from);
  numbers.at[0] = four.x;
  numbers.at[1] = four.y;
  numbers.at[2] = four.z;
  numbers.at[3] = four.w;
#else
  numbers.at[0] = *from;
#endif
  return numbers;
}

__device__ inline void store(float *to, const Numbers &numbers) {
#if VECTOR == 4
  *reinterpret_cast<float4 *>(to) = make_float4(numbers.at[0], numbers.at[1], numbers.at[2], numbers.at[3]);
#else
  *to = numbers.at[0];
#endif
}

/** a·b of rows of d numbers by one warp, the same bits in every lane and on every path that needs this product. */
__device__ inline float warpDot(const float *a, const float *b, int d) {
  float sum = 0.0f;
#pragma unroll 8
  for (int column = threadIdx.x % warpThreads * VECTOR; column < d; column += warpThreads * VECTOR) {
    const Numbers left = load(a + column), right = load(b + column);
    for (int i = 0; i < VECTOR; i++) sum = fmaf(left.at[i], right.at[i], sum);
  }
  return warpTotal(sum);
}
#endif
