/** Sums of whole tensors, in a fixed order that keeps rounding errors small. */
#include "fused.cuh"

constexpr int totalThreads = 1024;

/** One block. out [1] = Σ of n numbers. */
extern "C" __global__ void __launch_bounds__(totalThreads) total(const float *values, float *out, int n) {
  float sum = 0.0f;
  for (int i = threadIdx.x; i < n; i += totalThreads) sum += values[i];
  sum = sumOfBlock(sum);
  if (threadIdx.x == 0) *out = sum;
}

/** One block. clip [1] = min(1, clipNorm / norm of all gradients), from sums of squares [n] and the vectors themselves. */
extern "C" __global__ void __launch_bounds__(totalThreads)
    clipScale(const float *squares, int n, const float *vectors, int length, const float *more, int moreLength,
              float clipNorm, float *clip) {
  float sum = 0.0f;
  for (int i = threadIdx.x; i < n; i += totalThreads) sum += squares[i];
  for (int i = threadIdx.x; i < length; i += totalThreads) sum = fmaf(vectors[i], vectors[i], sum);
  for (int i = threadIdx.x; i < moreLength; i += totalThreads) sum = fmaf(more[i], more[i], sum);
  sum = sumOfBlock(sum);
  if (threadIdx.x == 0) *clip = fminf(1.0f, clipNorm / sqrtf(sum));
}

/** How many columns a block of joinColumns has, and into how many groups it parts the blocks' sums. */
constexpr int joinedColumns = 32, joinedGroups = 16;

__device__ inline float columnOf(const float *sums, int blocks, int column, int group, int d) {
  float sum = 0.0f;
  for (int block = group; block < blocks; block += joinedGroups) sum += sums[(long long)block * d + column];
  return sum;
}

/** out [d] = factor · Σ of sums [blocks, d] − Σ of less [lessBlocks, d]; the factor is on the device where there is a pointer. */
extern "C" __global__ void __launch_bounds__(joinedColumns *joinedGroups)
    joinColumns(const float *sums, int blocks, const float *factorPointer, float factorValue, const float *less,
                int lessBlocks, float *out, int d) {
  __shared__ float shared[2][joinedGroups][joinedColumns];
  const int own = threadIdx.x % joinedColumns, group = threadIdx.x / joinedColumns;
  const int column = blockIdx.x * joinedColumns + own;
  const bool there = column < d;
  shared[0][group][own] = there ? columnOf(sums, blocks, column, group, d) : 0.0f;
  shared[1][group][own] = there && less ? columnOf(less, lessBlocks, column, group, d) : 0.0f;
  __syncthreads();
  if (group != 0 || !there) return;
  float sum = 0.0f, lessSum = 0.0f;
  for (int g = 0; g < joinedGroups; g++) {
    sum += shared[0][g][own];
    lessSum += shared[1][g][own];
  }
  out[column] = (factorPointer ? *factorPointer : factorValue) * sum - lessSum;
}

/** out [1] = numerator / denominator, and 0 where that is 0. */
extern "C" __global__ void quotientOrZero(float numerator, const float *denominator, float *out) {
  *out = *denominator == 0.0f ? 0.0f : numerator / *denominator;
}
