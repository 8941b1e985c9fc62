/**
 * What kernels share that compute a product's large elements only, which they find by a product in bfloat16: z̃ is off by less than a bound
 * (narrow.cuh), so z is too small wherever z̃ plus its bound is. Rows that this doesn't decide are computed in full.
 */
#pragma once
#include "narrow.cuh"

/** Most candidates of a row. */
#ifndef CAPACITY
#define CAPACITY 1024
#endif
constexpr int capacity = CAPACITY;
/** z̃ is rounded to bfloat16. */
constexpr float roundedOff = 1.0f / 256;
/** Where a bound isn't below this, numbers may be infinite. */
constexpr float finiteBound = 1e30f;

/** The pre-activation that both kernels give a latent. */
__device__ inline float preActivation(const float *x, const float *w, const float *bias, int latent, int d) {
  return warpDot(x, w + (long long)latent * d, d) + bias[latent];
}

/** Moves x − centre to shared memory. */
__device__ inline void loadCentred(const float *x, const float *centre, float *to, int d) {
  for (int column = threadIdx.x * VECTOR; column < d; column += THREADS * VECTOR) {
    Numbers own = load(x + column);
    const Numbers middle = centre ? load(centre + column) : Numbers{};
    for (int i = 0; i < VECTOR; i++) own.at[i] -= middle.at[i];
    store(to + column, own);
  }
}

/** The eight z̃ of a row from `first` on; rows begin at multiples of 16 bytes, and what follows the last latent is memory of the row too. */
__device__ inline void loadEight(const unsigned short *row, int first, float (&z)[8]) {
  const uint4 own = reinterpret_cast<const uint4 *>(row)[first / 8];
  const unsigned words[4] = {own.x, own.y, own.z, own.w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    z[2 * i] = __uint_as_float(words[i] << 16);
    z[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
  }
}

/** Calls `visit` with the first latent, z̃ and number of the eights of the row that are the thread's. */
template <typename Visit>
__device__ inline void eachEight(const unsigned short *row, int latents, Visit visit) {
#pragma unroll 4
  for (int first = threadIdx.x * 8; first < latents; first += THREADS * 8) {
    float z[8];
    loadEight(row, first, z);
    visit(first, z, min(8, latents - first));
  }
}

/** By how much a pre-activation may be off besides the rounding of z̃. `slack` bounds the rounding of sums relative to the product of sizes. */
__device__ inline float errorBound(float2 input, float2 latent, float slack) {
  return input.y * latent.x + input.x * latent.y + slack * input.x * latent.x;
}
