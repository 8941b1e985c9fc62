/** Chooses latents from pre-activations that are in memory: the largest of each row, those above thresholds, the largest of a batch. */
#include "rowSelect.cuh"

constexpr int threads = 512;

/**
 * A block a row of z [rows, candidates], which the biases are still to be added to. The k largest ReLU(z) of each row, ties by lower
 * latent; see topKEncode of fusedKernels.ts. `names` are the candidates' latents where they aren't all. Rows are counted from
 * `firstRow` in the results; `allRows` is how many the results have.
 */
extern "C" __global__ void __launch_bounds__(threads)
    selectTopK(const float *z, const float *bias, const int *names, int candidates, int k, int firstRow, int allRows,
               int *rowStart, int *indices, float *values) {
  __shared__ int counts[digitValues];
  __shared__ int answer[2];
  const long long row = firstRow + blockIdx.x;
  if (threadIdx.x == 0) {
    rowStart[row] = (int)row * k;
    if (row == allRows - 1) rowStart[allRows] = allRows * k;
  }
  topOfRow<threads>(z + (long long)blockIdx.x * candidates, bias, names, candidates, k,
                    {indices + row * k, values + row * k, k}, counts, answer);
}

/** z [rows, latents] += bias; a block a row. */
extern "C" __global__ void __launch_bounds__(threads) addBias(float *z, const float *bias, int latents) {
  float *row = z + (long long)blockIdx.x * latents;
  for (int latent = threadIdx.x; latent < latents; latent += threads) row[latent] += bias[latent];
}

/** The bar that a latent is listed above: θ − ε/2. */
__device__ inline float barOf(const float *threshold, float bandwidth, int latent) {
  return threshold ? threshold[latent] - bandwidth / 2 : 0.0f;
}

/** counts [rows]: how many latents of each row are above their bars. A block a row. */
extern "C" __global__ void __launch_bounds__(threads) countAbove(const float *z, const float *bias, const float *threshold,
                                                                float bandwidth, int latents, int *counts) {
  const float *row = z + (long long)blockIdx.x * latents;
  int count = 0;
  for (int latent = threadIdx.x; latent < latents; latent += threads)
    count += fires(row[latent] + bias[latent], barOf(threshold, bandwidth, latent)) ? 1 : 0;
  count = sumOfBlock(count);
  if (threadIdx.x == 0) counts[blockIdx.x] = count;
}

/** Lists the latents of each row that are above their bars, as far as rowStart, which belongs to these rows, has room for them. */
extern "C" __global__ void __launch_bounds__(threads) listAbove(const float *z, const float *bias, const float *threshold,
                                                               float bandwidth, int latents, const int *rowStart,
                                                               int *indices, float *values) {
  const float *row = z + (long long)blockIdx.x * latents;
  int begin = rowStart[blockIdx.x];
  const int end = rowStart[blockIdx.x + 1];
  for (int first = 0; first < latents && begin < end; first += threads) {
    const int latent = first + threadIdx.x;
    const float value = latent < latents ? row[latent] + bias[latent] : 0.0f;
    const bool on = latent < latents && fires(value, barOf(threshold, bandwidth, latent));
    int count;
    const int place = begin + sumBefore(on ? 1 : 0, count);
    if (on && place < end) {
      indices[place] = latent;
      values[place] = value;
    }
    begin += count;
  }
}

/** What is known of the least rank that a batch keeps: `state` [2] are the digits found, and how many are wanted that begin with them. */
constexpr unsigned nothingKept = 0x7fffffffu;

/** counts [digitValues] += how many positive activations that begin with the digits found have each value of the next one. */
extern "C" __global__ void __launch_bounds__(threads) countDigits(const float *z, const float *bias, const int *state,
                                                                 int digit, int rows, int latents, int *counts) {
  __shared__ int own[digitValues];
  const int values = valuesOf(digit);
  const unsigned found = (unsigned)state[0];
  for (int value = threadIdx.x; value < values; value += threads) own[value] = 0;
  __syncthreads();
  for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
    const float *from = z + row * latents;
    for (int latent = threadIdx.x; latent < latents; latent += threads) {
      const unsigned rank = rankOf(from[latent] + bias[latent]);
      if (rank > 0u && begins(rank, found, digit)) atomicAdd(&own[rank >> digitShift(digit) & (values - 1)], 1);
    }
  }
  __syncthreads();
  for (int value = threadIdx.x; value < values; value += threads)
    if (own[value] > 0) atomicAdd(&counts[value], own[value]);
}

/** One block. Finds the next digit in `state`, and with the last one `least` [1], the least activation kept; sets the counts to 0. */
extern "C" __global__ void __launch_bounds__(threads) chooseDigit(int *counts, int *state, int digit, float *least) {
  __shared__ int answer[2];
  const int values = valuesOf(digit);
  int own = 0;
  for (int value = threadIdx.x; value < values; value += threads) own += counts[value];
  const int all = sumOfBlock(own);
  // Where fewer are positive than were asked for, all of those are kept.
  const int wanted = min(state[1], all);
  const unsigned before = (unsigned)state[0];
  unsigned found = nothingKept;
  int above = 0;
  if (before != nothingKept && wanted > 0) {
    const int value = digitOf<threads>(counts, values, wanted, answer, above);
    found = before | (unsigned)value << digitShift(digit);
  }
  __syncthreads();
  for (int value = threadIdx.x; value < values; value += threads) counts[value] = 0;
  if (threadIdx.x != 0) return;
  state[0] = (int)found;
  state[1] = wanted - above;
  if (digit == digits - 1) *least = found == nothingKept ? 0.0f : ofRank(found);
}

/** above, equal [rows]: how many activations of each row have a larger rank than the least one kept, and how many the same. */
extern "C" __global__ void __launch_bounds__(threads) countKept(const float *z, const float *bias, const int *state,
                                                               int latents, int *above, int *equal) {
  const float *row = z + (long long)blockIdx.x * latents;
  const unsigned bar = (unsigned)state[0];
  int higher = 0, same = 0;
  for (int latent = threadIdx.x; latent < latents; latent += threads) {
    const unsigned rank = rankOf(row[latent] + bias[latent]);
    higher += rank > bar ? 1 : 0;
    same += rank == bar ? 1 : 0;
  }
  higher = sumOfBlock(higher);
  same = sumOfBlock(same);
  if (threadIdx.x != 0) return;
  above[blockIdx.x] = higher;
  equal[blockIdx.x] = same;
}

/** kept [rows]: how many activations of each row are kept, if `before` [rows] equal ones are in lower rows. */
extern "C" __global__ void __launch_bounds__(threads) keptByRow(const int *state, const int *above, const int *equal,
                                                               const int *before, int *kept, int rows) {
  const int row = blockIdx.x * threads + threadIdx.x;
  if (row < rows) kept[row] = above[row] + min(equal[row], max(0, state[1] - before[row]));
}

/** Lists what is kept of each row. `rowStart` and `before` belong to these rows. */
extern "C" __global__ void __launch_bounds__(threads) listKept(const float *z, const float *bias, const int *state,
                                                              const int *before, const int *rowStart, int latents,
                                                              int *indices, float *values) {
  const int begin = rowStart[blockIdx.x];
  const int count = rowStart[blockIdx.x + 1] - begin;
  if (count == 0) return;
  keepRow<threads>(z + (long long)blockIdx.x * latents, bias, nullptr, latents, (unsigned)state[0],
                   max(0, state[1] - before[blockIdx.x]), {indices + begin, values + begin, count});
}
