/** Lists the pre-activations above a bar, in full precision, from a product in bfloat16; see screen.cuh. */
#include "listedRows.cuh"
#include "rowSelect.cuh"
#include "screen.cuh"

/** The bars that latents are compared with: θ − ε/2 for each, one number on the device, or 0. */
struct Bars {
  const float *threshold;
  float bandwidth;
  const float *one;

  __device__ float of(int latent) const {
    if (threshold) return threshold[latent] - bandwidth / 2;
    return one ? *one : 0.0f;
  }
};

/** counts [digitValues] += how many lower bounds of pre-activations have each value of the first digit; only positive ones count. */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    countLowerBounds(const unsigned short *screened, int width, int firstRow, int rows, const float2 *inputNorms,
                     const float2 *groupNorms, float slack, int latents, int *counts) {
  __shared__ int own[digitValues];
  for (int value = threadIdx.x; value < digitValues; value += THREADS) own[value] = 0;
  __syncthreads();
  for (int row = blockIdx.x; row < rows; row += gridDim.x) {
    const float2 input = inputNorms[firstRow + row];
    eachEight(screened + (long long)row * width, latents, [&](int first, const float(&z)[8], int n) {
      const float bound = errorBound(input, groupNorms[first / groupSize], slack);
#pragma unroll
      for (int i = 0; i < 8; i++) {
        const float lower = z[i] * (1 - roundedOff) - bound;
        if (i < n && lower > 0.0f) atomicAdd(&own[__float_as_uint(lower) >> digitShift(0) & (digitValues - 1)], 1);
      }
    });
  }
  __syncthreads();
  for (int value = threadIdx.x; value < digitValues; value += THREADS)
    if (own[value] > 0) atomicAdd(&counts[value], own[value]);
}

/** One block. bar [1]: a number that at least `wanted` of the counted reach, 0 where fewer were counted; sets the counts to 0. */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) barOfCounts(int *counts, int wanted, float *bar) {
  __shared__ int answer[2];
  int own = 0;
  for (int value = threadIdx.x; value < digitValues; value += THREADS) own += counts[value];
  const int all = sumOfBlock(own);
  int above;
  const int value = all >= wanted ? digitOf<THREADS>(counts, digitValues, wanted, answer, above) : 0;
  __syncthreads();
  for (int each = threadIdx.x; each < digitValues; each += THREADS) counts[each] = 0;
  if (threadIdx.x == 0) *bar = __uint_as_float((unsigned)value << digitShift(0));
}

/** A warp a group of latents. groupBars [groups]: the lowest bar of each. */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) lowestBars(const float *threshold, float bandwidth,
                                                                        float *groupBars, int latents) {
  const int group = (blockIdx.x * THREADS + threadIdx.x) / warpThreads;
  if (group * groupSize >= latents) return;
  const Bars bars = {threshold, bandwidth, nullptr};
  // A bar that is NaN is exceeded by NaN alone, and rows that may have one are computed in full.
  float lowest = infinity();
  for (int i = threadIdx.x % warpThreads; i < groupSize && group * groupSize + i < latents; i += warpThreads)
    lowest = fminf(lowest, bars.of(group * groupSize + i));
  for (int offset = 16; offset > 0; offset /= 2) lowest = fminf(lowest, __shfl_xor_sync(wholeWarp, lowest, offset));
  if (threadIdx.x % warpThreads == 0) groupBars[group] = lowest;
}

/**
 * A block a row of z̃ [rows, width]. Lists what is above the bars in the slots of the row, in order; `listed` [rows] is how many, and fullOf [rows] −1. Where
 * this isn't decided, fullOf is the number of the row among those to compute in full, which `flagged` [1 + rows] counts and names.
 */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    screenedAbove(const unsigned short *screened, int width, int firstRow, const float *x, const float *centre,
                  const float *w, const float *bias, const float2 *inputNorms, const float2 *latentNorms,
                  const float2 *groupNorms, const float *groupBars, const float *threshold, float bandwidth,
                  const float *oneBar, float slack, int latents, int d, int *slotLatents, float *slotValues, int *listed,
                  int *fullOf, int *flagged) {
  extern __shared__ float4 whole[];
  float *centred = reinterpret_cast<float *>(whole); // [d]
  __shared__ int latentOf[capacity];
  __shared__ float exact[capacity];
  __shared__ int isUnbounded;
  const int row = firstRow + blockIdx.x;
  const uint4 *eights = reinterpret_cast<const uint4 *>(screened + (long long)blockIdx.x * width);
  const float2 input = inputNorms[row];
  const Bars bars = {threshold, bandwidth, oneBar};
  const float one = bars.threshold ? 0.0f : bars.of(0);
  if (threadIdx.x == 0) isUnbounded = 0;
  loadCentred(x + (long long)row * d, centre, centred, d);
  __syncthreads();
  int candidates = 0;
  uint4 next = (int)threadIdx.x * 8 < latents ? eights[threadIdx.x] : make_uint4(0, 0, 0, 0);
  for (int first = 0; first < latents && candidates <= capacity; first += THREADS * 8) {
    const int from = first + (int)threadIdx.x * 8;
    const uint4 own = next;
    if (from + THREADS * 8 < latents) next = eights[from / 8 + THREADS];
    unsigned passing = 0;
    if (from < latents) {
      const unsigned words[4] = {own.x, own.y, own.z, own.w};
      const float bound = errorBound(input, groupNorms[from / groupSize], slack);
      if (!(bound < finiteBound)) atomicOr(&isUnbounded, 1);
      const float bar = groupBars ? groupBars[from / groupSize] : one;
#pragma unroll
      for (int i = 0; i < 8; i++) {
        const float z = __uint_as_float(i % 2 ? words[i / 2] & 0xffff0000u : words[i / 2] << 16);
        if (from + i >= latents || z + bound + fabsf(z) * roundedOff < bar) continue;
        const float error = errorBound(input, latentNorms[from + i], slack) + fabsf(z) * roundedOff;
        if (z + error >= bars.of(from + i)) passing |= 1u << i;
      }
    }
    int all;
    int place = candidates + sumBefore(__popc(passing), all);
    for (; passing != 0u; passing &= passing - 1u, place++)
      if (place < capacity) latentOf[place] = from + __ffs((int)passing) - 1;
    candidates += all;
  }
  __syncthreads();
  if (candidates > capacity || isUnbounded) {
    if (threadIdx.x == 0) {
      const int at = atomicAdd(&flagged[0], 1);
      flagged[1 + at] = row;
      fullOf[row] = at;
    }
    return;
  }
  for (int i = threadIdx.x / warpThreads; i < candidates; i += THREADS / warpThreads) {
    const float z = preActivation(centred, w, bias, latentOf[i], d);
    if (threadIdx.x % warpThreads == 0) exact[i] = z;
  }
  __syncthreads();
  int count = 0;
  for (int first = 0; first < candidates; first += THREADS) {
    const int i = first + threadIdx.x;
    // The one bar of a batch is one that enough pre-activations reach.
    const bool on = i < candidates && (oneBar ? exact[i] >= one : fires(exact[i], bars.of(latentOf[i])));
    int all;
    const long long place = (long long)row * capacity + count + sumBefore(on ? 1 : 0, all);
    if (on) {
      slotLatents[place] = latentOf[i];
      slotValues[place] = exact[i];
    }
    count += all;
  }
  if (threadIdx.x != 0) return;
  listed[row] = count;
  fullOf[row] = -1;
}

/** Computes the rows that were left undecided in full, in `full` [rows, latents], and counts what is above the bars. */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    fullRows(const int *flagged, const float *x, const float *centre, const float *w, const float *bias,
             const float *threshold, float bandwidth, const float *oneBar, int latents, int d, float *full, int *listed) {
  extern __shared__ float4 whole[];
  float *centred = reinterpret_cast<float *>(whole); // [d]
  const Bars bars = {threshold, bandwidth, oneBar};
  for (int at = blockIdx.x; at < flagged[0]; at += gridDim.x) {
    const int row = flagged[1 + at];
    float *own = full + (long long)at * latents;
    __syncthreads();
    loadCentred(x + (long long)row * d, centre, centred, d);
    __syncthreads();
    int count = 0;
    for (int latent = threadIdx.x / warpThreads; latent < latents; latent += THREADS / warpThreads) {
      const float z = preActivation(centred, w, bias, latent, d);
      if (threadIdx.x % warpThreads != 0) continue;
      own[latent] = z;
      count += fires(z, bars.of(latent)) ? 1 : 0;
    }
    count = sumOfBlock(count);
    if (threadIdx.x == 0) listed[row] = count;
  }
}

/** A block a row. Moves what was listed to where rowStart says, as far as there is room; of full rows what is above the bars. */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    moveListed(const int *slotLatents, const float *slotValues, const int *listed, const int *fullOf, const float *full,
               const float *threshold, float bandwidth, const int *rowStart, int latents, int *indices, float *values) {
  const int row = blockIdx.x;
  const ListedRow from = listedRow(row, slotLatents, slotValues, listed, fullOf, full, capacity, latents);
  const Bars bars = {threshold, bandwidth, nullptr};
  int begin = rowStart[row];
  const int end = rowStart[row + 1];
  for (int first = 0; first < from.count && begin < end; first += THREADS) {
    const int i = first + threadIdx.x;
    const bool on = i < from.count && (from.latents || fires(from.z[i], bars.of(i)));
    int all;
    const int place = begin + sumBefore(on ? 1 : 0, all);
    if (on && place < end) {
      indices[place] = from.latents ? from.latents[i] : i;
      values[place] = from.z[i];
    }
    begin += all;
  }
}
