/**
 * The k largest pre-activations of each row, in full precision, from a product in bfloat16 that was computed at the speed of tensor
 * cores. Each z̃ is off by less than a bound (narrow.cuh), so the k-th largest z̃ minus its bound is a bar that k pre-activations exceed, and only
 * where z̃ plus its bound exceeds the bar z has to be computed. Rows that this doesn't decide are left to `topOfFlagged`:
 * those with too many candidates, with fewer than k positive activations, or with numbers that are not finite.
 */
#include "rowSelect.cuh"
#include "screen.cuh"

/** The largest number of 15 bits that at least k of `keys` [THREADS] reach; by one warp. */
__device__ inline unsigned reachedBy(const unsigned short *keys, int k) {
  constexpr int each = THREADS / warpThreads;
  unsigned own[each];
#pragma unroll
  for (int i = 0; i < each; i++) own[i] = keys[threadIdx.x + i * warpThreads];
  unsigned found = 0;
  for (unsigned bit = 1u << 14; bit > 0; bit /= 2) {
    int count = 0;
#pragma unroll
    for (int i = 0; i < each; i++) count += __popc(__ballot_sync(wholeWarp, own[i] >= (found | bit)));
    if (count >= k) found |= bit;
  }
  return found;
}

/**
 * A block a row of z̃ [rows, width], bfloat16, of which the first is row `firstRow` of x [allRows, d]. groupNorms: the largest norms of each
 * group of latents. flagged [1 + allRows]: how many rows are left undecided, and which.
 */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    screenedTopK(const unsigned short *screened, int width, int firstRow, int allRows, const float *x, const float *centre,
                 const float *w, const float *bias, const float2 *inputNorms, const float2 *latentNorms,
                 const float2 *groupNorms, float slack, int k, int latents, int d, int *flagged, int *rowStart, int *indices,
                 float *values) {
  extern __shared__ float4 whole[];
  float *centred = reinterpret_cast<float *>(whole); // [d]
#if KEEPS
  // The largest z̃ of each eight latents, 0 where none is positive.
  unsigned short *ofEight = reinterpret_cast<unsigned short *>(centred + d);
#endif
  __shared__ int latentOf[capacity];
  __shared__ float lower[capacity], upper[capacity];
  __shared__ unsigned short most[THREADS];
  __shared__ int count, survivors, isUnbounded;
  __shared__ float bar;
  const int row = firstRow + blockIdx.x;
  const unsigned short *own = screened + (long long)blockIdx.x * width;
  const float2 input = inputNorms[row];
  if (threadIdx.x == 0) {
    rowStart[row] = row * k;
    if (row == allRows - 1) rowStart[allRows] = allRows * k;
    count = survivors = isUnbounded = 0;
  }
  loadCentred(x + (long long)row * d, centre, centred, d);

  float largest = 0.0f;
  int group = 0;
  eachEight(own, latents, [&](int first, const float(&z)[8], int n) {
    float most = 0.0f;
#pragma unroll
    for (int i = 0; i < 8; i++) most = i < n ? fmaxf(most, z[i]) : most;
#if KEEPS
    ofEight[first / 8] = (unsigned short)(__float_as_uint(most) >> 16);
#endif
    if (!(most > largest)) return;
    largest = most;
    group = first / groupSize;
  });
  const float atLeast = largest * (1 - roundedOff) - errorBound(input, groupNorms[group], slack);
  most[threadIdx.x] = atLeast > 0.0f ? (unsigned short)(__float_as_uint(atLeast) >> 16) : 0;
  __syncthreads();
  if (threadIdx.x < warpThreads) {
    // The threads' largest are of different latents, so at least k pre-activations are that large.
    const float reached = __uint_as_float(reachedBy(most, k) << 16);
    if (threadIdx.x == 0) bar = reached;
  }
  __syncthreads();
  const float firstBar = bar;
  bool decided = firstBar > 0.0f;
  if (decided) {
    for (int first = threadIdx.x * 8; first < latents; first += THREADS * 8) {
      const float bound = errorBound(input, groupNorms[first / groupSize], slack);
      if (!(bound < finiteBound)) atomicOr(&isUnbounded, 1);
      const float least = firstBar - bound - fabsf(firstBar - bound) * roundedOff;
#if KEEPS
      if (least > 0.0f && fromBfloat16(ofEight[first / 8]) < least) continue;
#endif
      float z[8];
      loadEight(own, first, z);
#pragma unroll
      for (int i = 0; i < 8; i++) {
        if (first + i >= latents || z[i] < least) continue;
        const int place = atomicAdd(&count, 1);
        if (place >= capacity) continue;
        latentOf[place] = first + i;
        upper[place] = z[i];
      }
    }
    __syncthreads();
    decided = count <= capacity && isUnbounded == 0;
  }
  const int candidates = decided ? count : 0;
  for (int i = threadIdx.x; i < candidates; i += THREADS) {
    const float z = upper[i];
    const float error = errorBound(input, latentNorms[latentOf[i]], slack) + fabsf(z) * roundedOff;
    lower[i] = z - error;
    upper[i] = z + error;
  }
  __syncthreads();
  // The k-th largest lower bound; which of equal ones it is doesn't matter.
  for (int i = threadIdx.x; i < candidates; i += THREADS) {
    int larger = 0;
#pragma unroll 4
    for (int j = 0; j < candidates; j++) larger += lower[j] > lower[i] || (lower[j] == lower[i] && j < i) ? 1 : 0;
    if (larger == k - 1) bar = lower[i];
  }
  __syncthreads();
  if (decided) decided = bar > 0.0f;
  if (!decided) {
    if (threadIdx.x == 0) flagged[1 + atomicAdd(&flagged[0], 1)] = row;
    return;
  }
  // Survivors move to the front of a list of their own, whose order doesn't matter: `most` is no longer needed, nor is `lower`.
  for (int first = 0; first < candidates; first += THREADS) {
    const int i = first + threadIdx.x;
    const bool survives = i < candidates && upper[i] >= bar;
    const int latent = i < candidates ? latentOf[i] : 0;
    // Survivors of this round come after those of earlier ones and before candidates of later ones.
    int all;
    const int place = survivors + sumBefore(survives ? 1 : 0, all);
    if (survives) latentOf[place] = latent;
    __syncthreads();
    if (threadIdx.x == 0) survivors += all;
    __syncthreads();
  }
  const int exact = survivors;
  for (int i = threadIdx.x / warpThreads; i < exact; i += THREADS / warpThreads) {
    const float z = preActivation(centred, w, bias, latentOf[i], d);
    if (threadIdx.x % warpThreads == 0) lower[i] = z;
  }
  __syncthreads();
  int *isKept = reinterpret_cast<int *>(upper);
  for (int i = threadIdx.x; i < exact; i += THREADS) {
    int before = 0;
#pragma unroll 4
    for (int j = 0; j < exact; j++)
      before += lower[j] > lower[i] || (lower[j] == lower[i] && latentOf[j] < latentOf[i]) ? 1 : 0;
    isKept[i] = before < k ? 1 : 0;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < exact; i += THREADS) {
    if (!isKept[i]) continue;
    int place = 0;
#pragma unroll 4
    for (int j = 0; j < exact; j++) place += isKept[j] && latentOf[j] < latentOf[i] ? 1 : 0;
    indices[(long long)row * k + place] = latentOf[i];
    values[(long long)row * k + place] = lower[i];
  }
}

/** Chooses from all pre-activations of the rows that were left undecided; z [blocks, latents] is memory for them. */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    topOfFlagged(const int *flagged, const float *x, const float *centre, const float *w, const float *bias, int k,
                 int latents, int d, float *z, int *indices, float *values) {
  extern __shared__ float4 whole[];
  float *centred = reinterpret_cast<float *>(whole); // [d]
  __shared__ int counts[digitValues];
  __shared__ int answer[2];
  float *own = z + (long long)blockIdx.x * latents;
  for (int i = blockIdx.x; i < flagged[0]; i += gridDim.x) {
    const long long row = flagged[1 + i];
    __syncthreads();
    loadCentred(x + row * d, centre, centred, d);
    __syncthreads();
    for (int latent = threadIdx.x / warpThreads; latent < latents; latent += THREADS / warpThreads) {
      const float value = preActivation(centred, w, bias, latent, d);
      if (threadIdx.x % warpThreads == 0) own[latent] = value;
    }
    __syncthreads();
    topOfRow<THREADS>(own, nullptr, nullptr, latents, k, {indices + row * k, values + row * k, k}, counts, answer);
  }
}
