/**
 * Regroups entries by latent without floating-point atomics and without a sort, so that sums over a latent's entries have a fixed
 * order: there is a bit for each (latent, row); bits are set in any order and read in ascending order. A warp takes a latent.
 */
#include "fused.cuh"

constexpr int threads = 256;
constexpr int latentsAtOnce = threads / warpThreads;

/** A block a row. Sets the bit of each entry in `bits` [latents, words]. */
extern "C" __global__ void __launch_bounds__(threads) markBits(const int *rowStart, const int *indices, unsigned *bits,
                                                              int words) {
  const int row = blockIdx.x;
  for (int entry = rowStart[row] + (int)threadIdx.x; entry < rowStart[row + 1]; entry += blockDim.x)
    atomicOr(&bits[(long long)indices[entry] * words + row / 32], 1u << (row % 32));
}

/** counts [latents]: how many bits of each latent are set. */
extern "C" __global__ void __launch_bounds__(threads) countBits(const unsigned *bits, int *counts, int latents, int words) {
  const int latent = blockIdx.x * latentsAtOnce + threadIdx.x / warpThreads;
  if (latent >= latents) return;
  int count = 0;
  for (int word = threadIdx.x % warpThreads; word < words; word += warpThreads)
    count += __popc(bits[(long long)latent * words + word]);
  count = warpTotal(count);
  if (threadIdx.x % warpThreads == 0) counts[latent] = count;
}

/**
 * One block. starts [n + 1] = sums of the counts before each place, none above `most`; `total` [1], if there is one, is the sum of all, and
 * −1 where 32 bits don't hold it.
 */
extern "C" __global__ void __launch_bounds__(1024) prefixSums(const int *counts, int *starts, int *total, int n, int most) {
  constexpr int each = 4;
  long long before = 0;
  for (int first = 0; first < n; first += 1024 * each) {
    const int from = first + (int)threadIdx.x * each;
    int count[each], own = 0;
#pragma unroll
    for (int i = 0; i < each; i++) {
      count[i] = from + i < n ? counts[from + i] : 0;
      own += count[i];
    }
    int sum;
    long long start = before + sumBefore(own, sum);
#pragma unroll
    for (int i = 0; i < each; i++) {
      if (from + i < n) starts[from + i] = start < most ? (int)start : most;
      start += count[i];
    }
    before += sum;
  }
  if (threadIdx.x == 0) {
    starts[n] = before < most ? (int)before : most;
    if (total) *total = before <= 0x7fffffffll ? (int)before : -1;
  }
}

/** The entry of a latent in a row by binary search, since latents ascend within a row. */
__device__ inline int entryOf(const int *rowStart, const int *indices, int row, int latent) {
  int low = rowStart[row], high = rowStart[row + 1] - 1;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (indices[middle] < latent) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** order [entries]: row and number of each entry, sorted by latent and then by row. */
extern "C" __global__ void __launch_bounds__(threads) fillOrder(const unsigned *bits, const int *latentStart,
                                                               const int *rowStart, const int *indices, int2 *order,
                                                               int latents, int words) {
  const int latent = blockIdx.x * latentsAtOnce + threadIdx.x / warpThreads;
  if (latent >= latents) return;
  int before = latentStart[latent];
  for (int first = 0; first < words; first += warpThreads) {
    const int word = first + threadIdx.x % warpThreads;
    unsigned set = word < words ? bits[(long long)latent * words + word] : 0u;
    const int count = __popc(set);
    const int running = warpRunning(count);
    for (int place = before + running - count; set != 0u; place++) {
      const int row = word * 32 + __ffs((int)set) - 1;
      order[place] = make_int2(row, entryOf(rowStart, indices, row, latent));
      set &= set - 1u;
    }
    before += __shfl_sync(wholeWarp, running, warpThreads - 1);
  }
}

/** counts, sums [latents]: on how many rows each latent fires, and the sum of its activations. */
extern "C" __global__ void __launch_bounds__(threads) firings(const int *latentStart, const int2 *order, const float *values,
                                                             const float *threshold, int *counts, float *sums,
                                                             int latents) {
  const int latent = blockIdx.x * latentsAtOnce + threadIdx.x / warpThreads;
  if (latent >= latents) return;
  const float theta = threshold ? threshold[latent] : 0.0f;
  int count = 0;
  float sum = 0.0f;
  for (int place = latentStart[latent] + (int)threadIdx.x % warpThreads; place < latentStart[latent + 1];
       place += warpThreads) {
    const float z = values[order[place].y];
    if (!fires(z, theta)) continue;
    count++;
    sum += z;
  }
  count = warpTotal(count);
  sum = warpTotal(sum);
  if (threadIdx.x % warpThreads == 0) {
    counts[latent] = count;
    sums[latent] = sum;
  }
}
