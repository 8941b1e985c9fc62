/**
 * AuxK over the dead latents alone, whose rows are gathered first (`gatherRows` of fusedRows.cu; sae/autoencoders/auxK.ts). How many are dead, and
 * which, is in memory of the device, so that kernels that were captured serve whatever the next step finds: `choice` has their number n, the bits of
 * the numerator of the term's scale, and their latents, ascending. Each has a place below n; matrices have `width` places, at least n, and what is
 * behind the n-th is 0.
 */
#include "rowSelect.cuh"

constexpr int threads = 256, selectThreads = 512;

/** bias [width]: b_enc of the dead latents. places [latents], −1 before: the place of each. */
extern "C" __global__ void __launch_bounds__(threads) gatherPlaces(const int *choice, const float *bEnc, float *bias, int *places,
                                                                  int width) {
  const int place = blockIdx.x * threads + threadIdx.x;
  if (place >= width) return;
  const bool there = place < choice[0];
  const int latent = there ? choice[2 + place] : 0;
  bias[place] = there ? bEnc[latent] : 0.0f;
  if (there) places[latent] = place;
}

/** Of the first n places of row [width], to which the biases are still to be added, those above the bar stay, and the first `ties` that have it. All others become 0. */
__device__ inline void keepPlaces(float *row, const float *bias, int n, unsigned bar, int ties, int width) {
  int equal = 0;
  for (int first = 0; first < width; first += selectThreads) {
    const int place = first + threadIdx.x;
    const unsigned rank = place < n ? rankOf(row[place] + bias[place]) : 0u;
    const bool isEqual = place < n && rank == bar;
    int all;
    const int before = equal + sumBefore(isEqual ? 1 : 0, all);
    equal += all;
    const bool stays = place < n && (rank > bar || (isEqual && before < ties));
    if (place < width) row[place] = stays ? ofRank(rank) : 0.0f;
  }
}

/**
 * A block a row of z [rows, width], which the biases are still to be added to. Of the n places the `most` largest ReLU(z + bias) stay, of equal ones
 * those of lower places, and all others become 0. What is not finite counts as the largest and becomes NaN.
 */
extern "C" __global__ void __launch_bounds__(selectThreads) keepLargest(const int *choice, const float *bias, float *z, int most,
                                                                       int width) {
  __shared__ int counts[digitValues];
  __shared__ int answer[2];
  float *row = z + (long long)blockIdx.x * width;
  const int n = choice[0];
  int ties = 0;
  const unsigned bar = n > 0 ? barOfRow<selectThreads>(row, bias, n, min(most, n), counts, answer, ties) : 0u;
  keepPlaces(row, bias, n, bar, ties, width);
}

/** The same where other devices have dead latents too: a row's bar, and how many of those stay here that have it, are those of `barOfRanks` (fusedSpread.cu). */
extern "C" __global__ void __launch_bounds__(selectThreads) keepOfRanks(const int *choice, const float *bias, const int *bars, const int *ties,
                                                                       float *z, int width) {
  const long long row = blockIdx.x;
  keepPlaces(z + row * width, bias, choice[0], (unsigned)bars[row], ties[row], width);
}

/**
 * dots [rows, width] stay where the activation [rows, width] fires, and become 0 elsewhere: the gradient of the pre-activations, but for the scale. A
 * block has `threads` places of `each` rows; sums [⌈rows / each⌉, width] are theirs.
 */
extern "C" __global__ void __launch_bounds__(threads) maskDots(const float *activations, float *dots, float *sums, int rows, int each,
                                                              int width) {
  const int blocksAcross = (width + threads - 1) / threads;
  const int place = blockIdx.x % blocksAcross * threads + threadIdx.x, group = blockIdx.x / blocksAcross;
  if (place >= width) return;
  float sum = 0.0f;
#pragma unroll 8
  for (int row = group * each; row < min(rows, (group + 1) * each); row++) {
    const long long at = (long long)row * width + place;
    const float slope = fires(activations[at], 0.0f) ? dots[at] : 0.0f;
    dots[at] = slope;
    sum += slope;
  }
  sums[(long long)group * width + place] = sum;
}

/** out [width]: sums over the groups of rows of `maskDots`. */
extern "C" __global__ void __launch_bounds__(threads) joinGroups(const float *sums, int groups, float *out, int width) {
  const int place = blockIdx.x * threads + threadIdx.x;
  if (place >= width) return;
  float sum = 0.0f;
  for (int group = 0; group < groups; group++) sum += sums[(long long)group * width + place];
  out[place] = sum;
}

/** scale [1]: the numerator over the variance of what is to be explained, and 0 where that is 0. */
extern "C" __global__ void scaleOfTerm(const int *choice, const float *variance, float *scale) {
  *scale = *variance == 0.0f ? 0.0f : __int_as_float(choice[1]) / *variance;
}

/** Adds the gradients of b_enc at the places, times the scale, to those of the latents, and to what reaches b_dec through the encoder [latents]. */
extern "C" __global__ void __launch_bounds__(threads) addPlaces(const int *places, const float *gradient, const float *scale, float *slopes,
                                                               float *bEnc, int latents) {
  const int latent = blockIdx.x * threads + threadIdx.x;
  if (latent >= latents || places[latent] < 0) return;
  const float own = *scale * gradient[places[latent]];
  slopes[latent] += own;
  bEnc[latent] += own;
}
