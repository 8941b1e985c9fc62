// The k largest of each row in descending order, equal ones by ascending index, as TF.js's topk has them.
#include "prelude.cuh"

// Unsigned numbers in the order of the floats; −0 counts as 0, and NaN is below everything.
__device__ inline unsigned orderOf(float x) {
  if (x != x) return 0u;
  const unsigned bits = __float_as_uint(x == 0.0f ? 0.0f : x);
  return (bits & 0x80000000u) ? ~bits : bits | 0x80000000u;
}

__device__ inline int countFrom(const float* row, int n, unsigned bound) {
  int count = 0;
  for (int j = threadIdx.x; j < n; j += blockDim.x) count += orderOf(row[j]) >= bound;
  return sumOfBlock(count);
}

// One block a row: finds the k-th largest bit by bit, collects what is above it and the first of what equals it, and sorts those. Shared
// memory holds `places` pairs, the power of 2 from k on.
extern "C" __global__ void topK(const float* x, float* values, int* indices, int n, int k, int places) {
  extern __shared__ unsigned long long found[];  // order, and then the complement of the index, so that greater comes first
  const float* row = x + (long long)blockIdx.x * n;
  unsigned bound = 0;
  for (int bit = 31; bit >= 0; bit--) {
    const unsigned tried = bound | (1u << bit);
    if (countFrom(row, n, tried) >= k) bound = tried;
  }
  const int above = bound == 0xffffffffu ? 0 : countFrom(row, n, bound + 1);
  for (int i = threadIdx.x; i < places; i += blockDim.x) found[i] = 0;
  __syncthreads();
  int aboveSoFar = 0, equalSoFar = 0;
  for (int base = 0; base < n; base += blockDim.x) {
    const int j = base + threadIdx.x;
    const unsigned order = j < n ? orderOf(row[j]) : 0u;
    const bool isAbove = j < n && order > bound, isEqual = j < n && order == bound;
    int aboves, equals;
    const int aboveAt = aboveSoFar + sumBefore(isAbove, aboves);
    const int equalAt = above + equalSoFar + sumBefore(isEqual, equals);
    const unsigned long long pair = ((unsigned long long)order << 32) | (0xffffffffu - (unsigned)j);
    if (isAbove) found[aboveAt] = pair;
    if (isEqual && equalAt < k) found[equalAt] = pair;
    aboveSoFar += aboves;
    equalSoFar += equals;
  }
  __syncthreads();
  // A bitonic sort, descending.
  for (int size = 2; size <= places; size *= 2)
    for (int distance = size / 2; distance > 0; distance /= 2) {
      for (int i = threadIdx.x; i < places; i += blockDim.x) {
        const int other = i ^ distance;
        if (other > i) {
          const bool descending = (i & size) == 0;
          const unsigned long long a = found[i], b = found[other];
          if ((a < b) == descending) {
            found[i] = b;
            found[other] = a;
          }
        }
      }
      __syncthreads();
    }
  for (int i = threadIdx.x; i < k; i += blockDim.x) {
    const int j = (int)(0xffffffffu - (unsigned)(found[i] & 0xffffffffu));
    values[(long long)blockIdx.x * k + i] = row[j];
    indices[(long long)blockIdx.x * k + i] = j;
  }
}
