#include "narrow.cuh"

constexpr int threads = 256;

/** A warp a group of latents. groupNorms [groups, 2]: the largest size and the largest error of norms [latents, 2]; NaN where one is NaN. */
extern "C" __global__ void __launch_bounds__(threads) largestNorms(const float2 *norms, float2 *groupNorms, int latents) {
  const int group = (blockIdx.x * threads + threadIdx.x) / warpThreads;
  if (group * groupSize >= latents) return;
  float size = 0.0f, error = 0.0f;
  for (int i = threadIdx.x % warpThreads; i < groupSize && group * groupSize + i < latents; i += warpThreads) {
    const float2 own = norms[group * groupSize + i];
    size = Largest()(own.x, size);
    error = Largest()(own.y, error);
  }
  size = combineLanes(size, Largest());
  error = combineLanes(error, Largest());
  if (threadIdx.x % warpThreads == 0) groupNorms[group] = make_float2(size, error);
}
