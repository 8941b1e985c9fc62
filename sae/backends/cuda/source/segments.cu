// Sums of the rows that share a segment, without atomic additions of floats: rows are listed by segment in their own order, and
// one block adds up the rows of each segment.
#include "prelude.cuh"

// rank[r]: how many earlier rows have the same segment. counts [segments] must be 0 before.
extern "C" __global__ void rankRows(const int* segment, int* rank, int* counts, int rows, int segments) {
  __shared__ int tile[256];
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  const int mine = row < rows ? segment[row] : -1;
  const int end = blockIdx.x * blockDim.x + blockDim.x;  // no row of the block looks further
  int before = 0;
  for (int first = 0; first < end; first += 256) {
    const int other = first + threadIdx.x;
    tile[threadIdx.x] = other < rows ? segment[other] : -1;
    __syncthreads();
    const int own = row - first < 256 ? row - first : 256;
    for (int i = 0; i < own; i++) before += tile[i] == mine;
    __syncthreads();
  }
  if (row >= rows) return;
  rank[row] = before;
  if (mine >= 0 && mine < segments) atomicAdd(counts + mine, 1);
}

// starts [n + 1]: the sums of the counts before each place. One block.
extern "C" __global__ void sumsBefore(const int* counts, int* starts, int n) {
  int base = 0;
  for (int first = 0; first < n; first += blockDim.x) {
    const int i = first + threadIdx.x;
    int total;
    const int before = sumBefore(i < n ? counts[i] : 0, total);
    if (i < n) starts[i] = base + before;
    base += total;
  }
  if (threadIdx.x == 0) starts[n] = base;
}

extern "C" __global__ void listRows(const int* segment, const int* rank, const int* starts, int* list, int rows, int segments) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const int mine = segment[row];
  if (mine >= 0 && mine < segments) list[starts[mine] + rank[row]] = row;
}

// y [segments, inner]: one block a segment.
extern "C" __global__ void sumSegments(const float* x, const int* starts, const int* list, float* y, long long inner) {
  const int first = starts[blockIdx.x], last = starts[blockIdx.x + 1];
  for (long long j = threadIdx.x; j < inner; j += blockDim.x) {
    float sum = 0.0f;
    for (int i = first; i < last; i++) sum += x[list[i] * inner + j];
    y[blockIdx.x * inner + j] = sum;
  }
}
