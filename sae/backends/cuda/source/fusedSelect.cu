/** Chooses latents from pre-activations that are in memory: the largest of each row, those above thresholds, the largest of a batch. */
#include "rowSelect.cuh"

constexpr int threads = 512;

/**
 * A block a row of z [rows, candidates], which the biases are still to be added to. The k largest ReLU(z) of each row, ties by lower
 * latent; see topKEncode of fusedKernels.ts. `names` are the candidates' latents where they aren't all. Where there is a `choice`
 * (fusedAuxiliary.cu), only its latents are candidates, and where they are fewer than k all of them are kept. Rows are counted from
 * `firstRow` in the results; `allRows` is how many the results have.
 */
extern "C" __global__ void __launch_bounds__(threads)
    selectTopK(const float *z, const float *bias, const int *names, const int *choice, int candidates, int k, int firstRow,
               int allRows, int *rowStart, int *indices, float *values) {
  __shared__ int counts[digitValues];
  __shared__ int answer[2];
  const long long row = firstRow + blockIdx.x;
  const int n = choice ? choice[0] : candidates;
  const int kept = min(k, n);
  if (threadIdx.x == 0) {
    rowStart[row] = (int)row * kept;
    if (row == allRows - 1) rowStart[allRows] = allRows * kept;
  }
  if (kept == 0) return;
  topOfRow<threads>(z + (long long)blockIdx.x * candidates, bias, choice ? choice + 2 : names, n, kept,
                    {indices + row * kept, values + row * kept, kept}, counts, answer);
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
