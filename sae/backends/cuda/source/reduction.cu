// Reductions over the middle of [outer, n, inner], indices of extremes, running sums, and softmax over rows.
//
// Long reductions are cut into pieces of a fixed length, one block a piece, whose results a second launch reduces in turn. So the
// order of a sum depends on the shape alone.
#include "prelude.cuh"

enum Reduction { SUM, PROD, MAX, MIN };

struct FloatReduction {
  int which;
  __device__ float identity() const { return which == SUM ? 0.0f : which == PROD ? 1.0f : which == MAX ? -infinity() : infinity(); }
  __device__ float operator()(float a, float b) const {
    switch (which) {
      case SUM: return a + b;
      case PROD: return a * b;
      case MAX: return Largest()(a, b);
      default: return Smallest()(a, b);
    }
  }
};
struct IntReduction {
  int which;
  __device__ int identity() const { return which == SUM ? 0 : which == PROD ? 1 : which == MAX ? (int)0x80000000u : 0x7fffffff; }
  __device__ int operator()(int a, int b) const {
    switch (which) {
      case SUM: return (int)((unsigned)a + (unsigned)b);
      case PROD: return (int)((unsigned)a * (unsigned)b);
      case MAX: return a > b ? a : b;
      default: return a < b ? a : b;
    }
  }
};

// One block reduces piece blockIdx.x % pieces of row blockIdx.x / pieces; y [rows, pieces].
template <class T, class Reduce>
__device__ inline void reduceRow(Reduce reduce, const T* x, T* y, long long n, int pieces, long long piece, T factor) {
  const long long row = blockIdx.x / pieces, first = blockIdx.x % pieces * piece;
  const long long last = first + piece < n ? first + piece : n;
  T value = reduce.identity();
  for (long long i = first + threadIdx.x; i < last; i += blockDim.x) value = reduce(value, x[row * n + i]);
  value = combineBlock(value, reduce.identity(), reduce);
  if (threadIdx.x == 0) y[blockIdx.x] = value * factor;
}
extern "C" __global__ void reduceRows(int which, const float* x, float* y, long long n, int pieces, long long piece, float factor) {
  reduceRow(FloatReduction{which}, x, y, n, pieces, piece, factor);
}
extern "C" __global__ void reduceRowsInt(int which, const int* x, int* y, long long n, int pieces, long long piece) {
  reduceRow(IntReduction{which}, x, y, n, pieces, piece, 1);
}

// A block of 32 columns by 8 rows of threads reduces one piece of n for 32 neighbouring columns; `across` blocks lie side by side for
// each of outer · pieces. The result is y [outer, pieces, inner].
template <class T, class Reduce>
__device__ inline void reduceColumn(Reduce reduce, const T* x, T* y, long long n, long long inner, int pieces, long long piece, T factor) {
  __shared__ T parts[8][32];
  const int lane = threadIdx.x % 32, part = threadIdx.x / 32;
  const int across = (int)((inner + 31) / 32);
  const long long column = (long long)(blockIdx.x % across) * 32 + lane, result = blockIdx.x / across;
  const long long outer = result / pieces, first = result % pieces * piece;
  const long long last = first + piece < n ? first + piece : n;
  T value = reduce.identity();
  if (column < inner)
    for (long long i = first + part; i < last; i += 8) value = reduce(value, x[(outer * n + i) * inner + column]);
  parts[part][lane] = value;
  __syncthreads();
  if (part != 0 || column >= inner) return;
  for (int other = 1; other < 8; other++) value = reduce(value, parts[other][lane]);
  y[result * inner + column] = value * factor;
}
extern "C" __global__ void reduceColumns(int which, const float* x, float* y, long long n, long long inner, int pieces, long long piece,
                                         float factor) {
  reduceColumn(FloatReduction{which}, x, y, n, inner, pieces, piece, factor);
}
extern "C" __global__ void reduceColumnsInt(int which, const int* x, int* y, long long n, long long inner, int pieces, long long piece) {
  reduceColumn(IntReduction{which}, x, y, n, inner, pieces, piece, 1);
}

// Whether all, or any, of n flags are set: a thread for each of outer · inner results.
extern "C" __global__ void reduceFlags(int all, const unsigned char* x, unsigned char* y, long long outer, long long n, long long inner) {
  for (long long i = globalThread(); i < outer * inner; i += globalThreads()) {
    const unsigned char* from = x + i / inner * n * inner + i % inner;
    bool found = false;  // a flag that settles the result
    for (long long j = 0; j < n && !found; j++) found = (from[j * inner] != 0) != (all != 0);
    y[i] = found != (all != 0);
  }
}

struct Found {
  float value;
  int at;
};
// The better of two; of equal ones the first. A NaN that comes first wins, and any other loses, as in TF.js's loop.
__device__ inline Found better(Found a, Found b, int smallest) {
  const bool beats = smallest ? b.value < a.value : b.value > a.value;
  const bool equal = b.value == a.value && b.at < a.at;
  return beats || equal ? b : a;
}

// The index of the largest or smallest of n: one block a result where inner is 1 (`acrossBlock`), one thread a result otherwise.
extern "C" __global__ void argExtreme(int smallest, int acrossBlock, const float* x, int* y, long long outer, int n, long long inner) {
  if (!acrossBlock) {
    for (long long i = globalThread(); i < outer * inner; i += globalThreads()) {
      const float* from = x + i / inner * n * inner + i % inner;
      Found best = {from[0], 0};
      for (int j = 1; j < n; j++) best = better(best, Found{from[j * inner], j}, smallest);
      y[i] = best.at;
    }
    return;
  }
  __shared__ Found ofWarp[32];
  const float* row = x + (long long)blockIdx.x * n;
  Found best = {row[0], 0};
  for (int j = threadIdx.x; j < n; j += blockDim.x) best = better(best, Found{row[j], j}, smallest);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int distance = 16; distance > 0; distance /= 2) {
    const Found other = {__shfl_xor_sync(wholeWarp, best.value, distance), __shfl_xor_sync(wholeWarp, best.at, distance)};
    best = better(best, other, smallest);
  }
  if (lane == 0) ofWarp[warp] = best;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int w = 1; w < (int)blockDim.x / 32; w++) best = better(best, ofWarp[w], smallest);
  y[blockIdx.x] = best.at;
}

// Running sums along n, a thread for each of outer · inner.
extern "C" __global__ void cumsum(const float* x, float* y, long long outer, long long n, long long inner, int exclusive, int reverse) {
  for (long long i = globalThread(); i < outer * inner; i += globalThreads()) {
    const long long base = i / inner * n * inner + i % inner;
    float total = 0.0f;
    for (long long step = 0; step < n; step++) {
      const long long at = base + (reverse ? n - 1 - step : step) * inner;
      const float value = x[at];
      y[at] = exclusive ? total : total + value;
      total += value;
    }
  }
}

// The largest of a row and Σ e^(x − largest), in all threads of the block.
struct Exponentials {
  float largest, sum;
};
__device__ inline Exponentials exponentialsOf(const float* row, int n) {
  float largest = -infinity();
  for (int j = threadIdx.x; j < n; j += blockDim.x) largest = Largest()(row[j], largest);
  largest = largestOfBlock(largest);
  float sum = 0.0f;
  for (int j = threadIdx.x; j < n; j += blockDim.x) sum += expf(row[j] - largest);
  return {largest, sumOfBlock(sum)};
}

// One block a row.
extern "C" __global__ void softmax(const float* x, float* y, int n) {
  const float* row = x + (long long)blockIdx.x * n;
  float* out = y + (long long)blockIdx.x * n;
  const Exponentials e = exponentialsOf(row, n);
  const float scale = 1.0f / e.sum;
  for (int j = threadIdx.x; j < n; j += blockDim.x) out[j] = expf(row[j] - e.largest) * scale;
}

// −log softmax(logits)[label] of each row, one block a row; NaN for a label outside of the vocabulary.
extern "C" __global__ void crossEntropy(const float* logits, const int* labels, float* loss, int n) {
  const float* row = logits + (long long)blockIdx.x * n;
  const Exponentials e = exponentialsOf(row, n);
  if (threadIdx.x != 0) return;
  const int label = labels[blockIdx.x];
  loss[blockIdx.x] = label < 0 || label >= n ? notANumber() : logf(e.sum) + (e.largest - row[label]);
}
// (softmax(logits) − onehot(label)) · dy
extern "C" __global__ void crossEntropyGrad(const float* logits, const int* labels, const float* dy, float* dlogits, int n) {
  const float* row = logits + (long long)blockIdx.x * n;
  float* out = dlogits + (long long)blockIdx.x * n;
  const Exponentials e = exponentialsOf(row, n);
  const float gradient = dy[blockIdx.x], scale = gradient / e.sum;
  const int label = labels[blockIdx.x];
  for (int j = threadIdx.x; j < n; j += blockDim.x) {
    const float p = expf(row[j] - e.largest) * scale;
    out[j] = j == label ? p - gradient : p;
  }
}
