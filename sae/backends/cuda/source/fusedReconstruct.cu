/** Products of a sparse matrix with dense rows: what entries decode to, and the elements of g·Wᵀ at their places. */
#include "fused.cuh"
#include "narrow.cuh"

#if NARROW
/** Rows of w are read from its copy in bfloat16. */
typedef unsigned short Weight;
__device__ inline long long rowOf(int latent, int d) { return (long long)latent * narrowWidth(d); }

__device__ inline Numbers load(const Weight *from) {
  Numbers numbers;
#if VECTOR == 4
  const ushort4 four = *reinterpret_cast<const ushort4 *>(from);
  numbers.at[0] = fromBfloat16(four.x);
  numbers.at[1] = fromBfloat16(four.y);
  numbers.at[2] = fromBfloat16(four.z);
  numbers.at[3] = fromBfloat16(four.w);
#else
  numbers.at[0] = fromBfloat16(*from);
#endif
  return numbers;
}

__device__ inline float warpDot(const float *a, const Weight *b, int d) {
  float sum = 0.0f;
#pragma unroll 8
  for (int column = threadIdx.x % warpThreads * VECTOR; column < d; column += warpThreads * VECTOR) {
    const Numbers left = load(a + column), right = load(b + column);
    for (int i = 0; i < VECTOR; i++) sum = fmaf(left.at[i], right.at[i], sum);
  }
  return warpTotal(sum);
}
#else
typedef float Weight;
__device__ inline long long rowOf(int latent, int d) { return (long long)latent * d; }
#endif

/** Rows of w that were kept in shared memory while they were decoded. */
struct KeptRows {
  /** [capacity, d] */
  float *rows;
  int capacity;
  /** [THREADS]: which of them belongs to each of the row's first entries; −1 for none. */
  int *slotOf;
};

/** The products of row g [d], in shared memory, with the rows of w of a row's entries; a warp takes an entry. */
__device__ inline void dotsOfRow(const float *g, const int *indices, const Weight *w, float *dots, int begin, int end,
                                 KeptRows kept, int d) {
  constexpr int warps = THREADS / warpThreads;
  for (int entry = begin + (int)threadIdx.x / warpThreads; entry < end; entry += warps) {
    const int slot = kept.capacity > 0 && entry - begin < THREADS ? kept.slotOf[entry - begin] : -1;
    const float dot =
        slot >= 0 ? warpDot(g, kept.rows + slot * d, d) : warpDot(g, w + rowOf(indices[entry], d), d);
    if (threadIdx.x % warpThreads == 0) dots[entry] = dot;
  }
}

/** What a tile of a row's entries adds to the sums: activations and rows of w of those that fire, in order. */
struct Tile {
  float activation[THREADS];
  int latent[THREADS];
};

constexpr KeptRows nothingKept = {nullptr, 0, nullptr};

/** Moves the entries [begin, end), at most THREADS, that fire, or all if they are `plain` numbers, to the tile, in order; returns how many. */
__device__ inline int fillTile(Tile &tile, const int *indices, const float *values, const float *threshold, bool plain,
                               int begin, int end, KeptRows kept) {
  const int entry = begin + threadIdx.x;
  const bool there = entry < end;
  const int latent = there ? indices[entry] : 0;
  const float z = there ? values[entry] : 0.0f;
  const float theta = there && threshold ? threshold[latent] : 0.0f;
  const bool on = there && (plain || fires(z, theta)) && z != 0.0f;
  int count;
  const int place = sumBefore(on ? 1 : 0, count);
  if (kept.capacity > 0) kept.slotOf[threadIdx.x] = on && place < kept.capacity ? place : -1;
  if (on) {
    tile.activation[place] = z;
    tile.latent[place] = latent;
  }
  __syncthreads();
  return count;
}

/** Adds the tile's rows of w, times their activations, to the thread's columns. */
__device__ inline void addTile(const Tile &tile, int count, const Weight *w, Numbers *sum, KeptRows kept, int d) {
#pragma unroll
  for (int j = 0; j < COLUMNS; j++) {
    const int column = ((int)threadIdx.x + j * THREADS) * VECTOR;
    if (column >= d) break;
#pragma unroll 8
    for (int n = 0; n < count; n++) {
      const Numbers row = load(w + rowOf(tile.latent[n], d) + column);
      if (n < kept.capacity) store(kept.rows + n * d + column, row);
      const float f = tile.activation[n];
      for (int i = 0; i < VECTOR; i++) sum[j].at[i] = fmaf(f, row.at[i], sum[j].at[i]);
    }
  }
}

/**
 * A block a row. error = Σ f·w + bias − target [rows, d]; without a target that is what the row decodes to. f is a latent's activation, or if
 * they are `plain` the value itself. The rows of w of the first entries that fire are kept in shared memory for the dots, `keptRows` of them. `squares` [rows] are the sums
 * of error², `dots` [entries] the products of the error with the rows of w.
 */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    reconstruct(const int *rowStart, const int *indices, const float *values, const float *threshold, int plain,
                const Weight *w, const float *bias, const float *target, float *error, float *dots, float *squares, int keptRows, int d) {
  extern __shared__ float4 whole[];
  float *errorRow = reinterpret_cast<float *>(whole); // [d]
  __shared__ Tile tile;
  __shared__ int slotOf[THREADS];
  const long long row = blockIdx.x;
  const int begin = rowStart[row], end = rowStart[row + 1];
  Numbers sum[COLUMNS] = {};
  const KeptRows kept = {errorRow + d, keptRows, slotOf};
  for (int start = begin; start < end; start += THREADS) {
    const KeptRows own = start == begin ? kept : nothingKept;
    const int count =
        fillTile(tile, indices, values, threshold, plain != 0, start, min(start + THREADS, end), own);
    addTile(tile, count, w, sum, own, d);
    __syncthreads();
  }
  float square = 0.0f;
#pragma unroll
  for (int j = 0; j < COLUMNS; j++) {
    const int column = ((int)threadIdx.x + j * THREADS) * VECTOR;
    if (column >= d) break;
    const Numbers shift = bias ? load(bias + column) : Numbers{};
    const Numbers wanted = target ? load(target + row * d + column) : Numbers{};
    for (int i = 0; i < VECTOR; i++) {
      sum[j].at[i] = sum[j].at[i] + shift.at[i] - wanted.at[i];
      square = fmaf(sum[j].at[i], sum[j].at[i], square);
    }
    store(error + row * d + column, sum[j]);
    if (dots) store(errorRow + column, sum[j]);
  }
  if (squares) {
    const float all = sumOfBlock(square);
    if (threadIdx.x == 0) squares[row] = all;
  }
  if (!dots) return;
  __syncthreads();
  dotsOfRow(errorRow, indices, w, dots, begin, end, kept, d);
}

/** A block a row. dots [entries] = g·Wᵀ at the places of the entries, for g [rows, d] and w [latents, d]. */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) sparseDots(const int *rowStart, const int *indices, const float *g,
                                                                const Weight *w, float *dots, int d) {
  extern __shared__ float4 whole[];
  float *gRow = reinterpret_cast<float *>(whole); // [d]
  const long long row = blockIdx.x;
  for (int column = threadIdx.x * VECTOR; column < d; column += THREADS * VECTOR)
    store(gRow + column, load(g + row * d + column));
  __syncthreads();
  dotsOfRow(gRow, indices, w, dots, rowStart[row], rowStart[row + 1], nothingKept, d);
}

/**
 * A block a row. Errors of nested reconstructions: block p of `errors` [prefixes, rows, d] becomes Σ (x̂_q − target) over q ≥ p, where x̂_q
 * is decoded from the latents below prefixEnds[q]. `nested` [rows] are the sums of (x̂_p − target)² over all p, `squares` [rows] those of
 * the last, `dots` [entries] the products with the block of the first prefix that has the latent.
 */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    reconstructNested(const int *rowStart, const int *indices, const float *values, const int *prefixEnds, int prefixes,
                      const Weight *w, const float *bias, const float *target, float *errors, float *dots, float *nested,
                      float *squares, int rows, int d) {
  extern __shared__ float4 whole[];
  float *errorRow = reinterpret_cast<float *>(whole); // [d]
  __shared__ Tile tile;
  const long long row = blockIdx.x;
  const int end = rowStart[row + 1];
  Numbers sum[COLUMNS] = {};
#pragma unroll
  for (int j = 0; j < COLUMNS; j++) {
    const int column = ((int)threadIdx.x + j * THREADS) * VECTOR;
    if (column >= d) break;
    const Numbers shift = load(bias + column), wanted = load(target + row * d + column);
    for (int i = 0; i < VECTOR; i++) sum[j].at[i] = shift.at[i] - wanted.at[i];
  }
  float all = 0.0f, last = 0.0f;
  int start = rowStart[row];
  for (int p = 0; p < prefixes; p++) {
    // Latents ascend within a row, so those below the prefix's end are the next ones.
    int low = start, high = end;
    while (low < high) {
      const int middle = (low + high) / 2;
      if (indices[middle] < prefixEnds[p]) low = middle + 1;
      else high = middle;
    }
    for (; start < low; start += THREADS) {
      const int count = fillTile(tile, indices, values, nullptr, false, start, min(start + THREADS, low), nothingKept);
      addTile(tile, count, w, sum, nothingKept, d);
      __syncthreads();
    }
    start = low;
    float square = 0.0f;
#pragma unroll
    for (int j = 0; j < COLUMNS; j++) {
      const int column = ((int)threadIdx.x + j * THREADS) * VECTOR;
      if (column >= d) break;
      for (int i = 0; i < VECTOR; i++) square = fmaf(sum[j].at[i], sum[j].at[i], square);
      store(errors + ((long long)p * rows + row) * d + column, sum[j]);
    }
    all += square;
    last = square;
  }
  const float nestedTotal = sumOfBlock(all);
  const float squareTotal = sumOfBlock(last);
  if (threadIdx.x == 0) {
    nested[row] = nestedTotal;
    squares[row] = squareTotal;
  }
  Numbers later[COLUMNS] = {};
  int stop = end;
  for (int p = prefixes - 1; p >= 0; p--) {
    float *own = errors + ((long long)p * rows + row) * d;
#pragma unroll
    for (int j = 0; j < COLUMNS; j++) {
      const int column = ((int)threadIdx.x + j * THREADS) * VECTOR;
      if (column >= d) break;
      const Numbers error = load(own + column);
      for (int i = 0; i < VECTOR; i++) later[j].at[i] += error.at[i];
      store(own + column, later[j]);
      store(errorRow + column, later[j]);
    }
    __syncthreads();
    int first = rowStart[row];
    if (p > 0) {
      int high = stop;
      while (first < high) {
        const int middle = (first + high) / 2;
        if (indices[middle] < prefixEnds[p - 1]) first = middle + 1;
        else high = middle;
      }
    }
    dotsOfRow(errorRow, indices, w, dots, first, stop, nothingKept, d);
    stop = first;
    __syncthreads();
  }
}
