// Causal attention, forward and backward, without storing the pattern: a block takes a tile of queries and passes over the keys tile
// by tile, keeping the running maximum and sum of each query's softmax (Dao et al., 2205.14135). The backward pass computes the
// probabilities again from each query's log-sum-exp.
//
// Blocks are 16 × 16 threads. The 16 threads of a row of threads are neighbouring lanes; they share ROWS queries (or keys), so that
// what is reduced over a tile's other axis is reduced among those lanes. Compile-time constants: WIDTHS, a sixteenth of a head's
// width, rounded up; ROWS and COLUMNS, how many queries and keys of a tile belong to each thread.
#include "prelude.cuh"

#ifndef WIDTHS
#define WIDTHS 4
#define ROWS 4
#define COLUMNS 2
#endif
constexpr int queriesOfTile = 16 * ROWS, keysOfTile = 16 * COLUMNS;
// Rows of a tile in shared memory are padded to whole groups of four and moved by one group, so that neighbouring rows lie in other banks.
constexpr int widths = WIDTHS;  // columns of a head that belong to each thread
constexpr int padded = 16 * widths, stride = padded + 4;

// Copies rows [first, first + count) of from [rows, width] to a tile; zeros where there are none.
template <int count>
__device__ inline void loadTile(const float* from, int first, int rows, int width, float* tile) {
  // In groups of four, which global memory has whole where the width is a multiple of four.
  for (int i = threadIdx.x; i < count * padded / 4; i += 256) {
    const int r = i / (padded / 4), c = i % (padded / 4) * 4;
    const float* row = from + (long long)(first + r) * width;
    float4 four = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (first + r < rows) {
      if (width % 4 == 0) {
        if (c < width) four = *(const float4*)(row + c);
      } else {
        if (c < width) four.x = row[c];
        if (c + 1 < width) four.y = row[c + 1];
        if (c + 2 < width) four.z = row[c + 2];
        if (c + 3 < width) four.w = row[c + 3];
      }
    }
    *(float4*)(tile + r * stride + c) = four;
  }
}

// products[r][c] = a[row·R + r] · b[column + 16·c] for tiles in shared memory.
template <int R, int C>
__device__ inline void dotTiles(const float* a, const float* b, float (&products)[R][C]) {
  const int row = threadIdx.x / 16, column = threadIdx.x % 16;
#pragma unroll
  for (int r = 0; r < R; r++)
#pragma unroll
    for (int c = 0; c < C; c++) products[r][c] = 0.0f;
  for (int h = 0; h < padded; h += 4) {
    float4 u[R];
#pragma unroll
    for (int r = 0; r < R; r++) u[r] = *(const float4*)(a + (row * R + r) * stride + h);
#pragma unroll
    for (int c = 0; c < C; c++) {
      const float4 v = *(const float4*)(b + (column + 16 * c) * stride + h);
#pragma unroll
      for (int r = 0; r < R; r++) products[r][c] += u[r].x * v.x + u[r].y * v.y + u[r].z * v.z + u[r].w * v.w;
    }
  }
}

// Column o of those of a head that belong to a thread: four neighbours, which are read together, where a head's width allows.
__device__ inline int columnOf(int o) {
  const int column = threadIdx.x % 16;
  return widths % 4 == 0 ? 64 * (o / 4) + 4 * column + o % 4 : column + 16 * o;
}

// Row length of a tile's weights in shared memory: whole groups of four, moved by one group.
__device__ constexpr int weightStride(int count) { return count + 4; }

// sums[r][o] += Σ_j weights[row·R + r][j] · b[j][columnOf(o)], over the `count` rows of a tile.
template <int R, int count>
__device__ inline void mixTile(const float* weights, const float* b, float (&sums)[R][widths]) {
  const int row = threadIdx.x / 16;
  for (int j = 0; j < count; j += 4) {
    float w[R][4];
#pragma unroll
    for (int r = 0; r < R; r++) {
      const float4 four = *(const float4*)(weights + (row * R + r) * weightStride(count) + j);
      w[r][0] = four.x, w[r][1] = four.y, w[r][2] = four.z, w[r][3] = four.w;
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
      float v[widths];
      const float* from = b + (j + i) * stride;
      if constexpr (widths % 4 == 0) {
#pragma unroll
        for (int o = 0; o < widths; o += 4) {
          const float4 four = *(const float4*)(from + columnOf(o));
          v[o] = four.x, v[o + 1] = four.y, v[o + 2] = four.z, v[o + 3] = four.w;
        }
      } else {
#pragma unroll
        for (int o = 0; o < widths; o++) v[o] = from[columnOf(o)];
      }
#pragma unroll
      for (int o = 0; o < widths; o++)
#pragma unroll
        for (int r = 0; r < R; r++) sums[r][o] += w[r][i] * v[o];
    }
  }
}

// The sums of a tile's rows from `first` on, to rows of to [rows, width].
template <int R>
__device__ inline void storeTile(const float (&sums)[R][widths], float* to, int first, int rows, int width) {
  const int row = threadIdx.x / 16;
#pragma unroll
  for (int r = 0; r < R; r++)
#pragma unroll
    for (int o = 0; o < widths; o++) {
      const int at = first + row * R + r, h = columnOf(o);
      if (at < rows && h < width) to[(long long)at * width + h] = sums[r][o];
    }
}

// The running softmax of the queries that belong to a thread: largest score, Σ e^(s − largest), and Σ (s − largest) e^(s − largest).
struct Running {
  float largest[ROWS], sum[ROWS], weighted[ROWS];
};
__device__ inline void begin(Running& run) {
  for (int r = 0; r < ROWS; r++) {
    run.largest[r] = -infinity();
    run.sum[r] = run.weighted[r] = 0.0f;
  }
}

// Scores of a tile of keys become exponentials; returns in `shrink` what earlier sums are to be multiplied with.
__device__ inline void advance(Running& run, float (&scores)[ROWS][COLUMNS], float (&shrink)[ROWS]) {
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    float largest = run.largest[r];
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) largest = fmaxf(largest, scores[r][c]);
    largest = combineLanes<16>(largest, Largest());
    const float shift = run.largest[r] - largest;
    // Before the first key, or where all scores were −∞, there is nothing to shrink.
    shrink[r] = run.sum[r] == 0.0f ? 0.0f : expf(shift);
    float sum = 0.0f, weighted = 0.0f;
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) {
      const float z = scores[r][c] - largest, e = scores[r][c] == -infinity() ? 0.0f : expf(z);
      scores[r][c] = e;
      sum += e;
      weighted += e == 0.0f ? 0.0f : z * e;
    }
    const float earlier = run.sum[r] == 0.0f ? 0.0f : shrink[r] * (run.weighted[r] + shift * run.sum[r]);
    run.weighted[r] = earlier + combineLanes<16>(weighted, Sum());
    run.sum[r] = run.sum[r] * shrink[r] + combineLanes<16>(sum, Sum());
    run.largest[r] = largest;
  }
}

// Which head of keys and values a block's queries read.
__device__ inline long long keyHeadOf(int head, int heads, int keyHeads) {
  return (long long)(head / heads) * keyHeads + head % heads / (heads / keyHeads);
}

// Blocks: x over tiles of queries, y over batch · heads. Any of y, logSums [batch · heads, seq] and entropies (the same shape: the entropy of each
// query's pattern over the log of the number of keys it sees, 0 for one key) may be null.
extern "C" __global__ void __launch_bounds__(256, 2) attention(const float* q, const float* k, const float* v, float* y, float* logSums,
                                                            float* entropies, int heads, int keyHeads, int seq, int keys, int width, float scale) {
  extern __shared__ __align__(16) float shared[];
  float* queryTile = shared;
  float* keyTile = queryTile + queriesOfTile * stride;  // keys, and then values
  float* pattern = keyTile + keysOfTile * stride;       // [queries, keys + 4]
  const int row = threadIdx.x / 16, column = threadIdx.x % 16;
  const int head = blockIdx.y, first = blockIdx.x * queriesOfTile, offset = keys - seq;
  const float* keysOfHead = k + keyHeadOf(head, heads, keyHeads) * keys * width;
  const float* valuesOfHead = v + keyHeadOf(head, heads, keyHeads) * keys * width;
  loadTile<queriesOfTile>(q + (long long)head * seq * width, first, seq, width, queryTile);

  Running run;
  begin(run);
  float mixed[ROWS][widths] = {};
  const int last = first + queriesOfTile < seq ? first + queriesOfTile : seq;
  const int seen = offset + last;
  for (int from = 0; from < seen; from += keysOfTile) {
    loadTile<keysOfTile>(keysOfHead, from, keys, width, keyTile);
    __syncthreads();
    float scores[ROWS][COLUMNS], shrink[ROWS];
    dotTiles(queryTile, keyTile, scores);
#pragma unroll
    for (int r = 0; r < ROWS; r++)
#pragma unroll
      for (int c = 0; c < COLUMNS; c++) {
        const bool visible = from + column + 16 * c <= offset + first + row * ROWS + r;
        scores[r][c] = visible ? scores[r][c] * scale : -infinity();
      }
    advance(run, scores, shrink);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
#pragma unroll
      for (int c = 0; c < COLUMNS; c++) pattern[(row * ROWS + r) * weightStride(keysOfTile) + column + 16 * c] = scores[r][c];
#pragma unroll
      for (int o = 0; o < widths; o++) mixed[r][o] *= shrink[r];
    }
    __syncthreads();
    if (y) {
      loadTile<keysOfTile>(valuesOfHead, from, keys, width, keyTile);
      __syncthreads();
      mixTile<ROWS, keysOfTile>(pattern, keyTile, mixed);
      __syncthreads();
    }
  }
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
#pragma unroll
    for (int o = 0; o < widths; o++) mixed[r][o] /= run.sum[r];
    const int query = first + row * ROWS + r;
    if (column != 0 || query >= seq) continue;
    const long long at = (long long)head * seq + query;
    const int own = offset + query + 1;
    if (logSums) logSums[at] = run.largest[r] + logf(run.sum[r]);
    // With z = s − largest: log p = z − log Σ e^z, so H = log Σ e^z − Σ z e^z / Σ e^z.
    if (entropies) entropies[at] = own > 1 ? (logf(run.sum[r]) - run.weighted[r] / run.sum[r]) / logf((float)own) : 0.0f;
  }
  if (y) storeTile(mixed, y + (long long)head * seq * width, first, seq, width);
}

// deltas [rows] = Σ dy·y over a head's width: one warp a row.
extern "C" __global__ void attentionDeltas(const float* y, const float* dy, float* deltas, int rows, int width) {
  const int row = (int)(globalThread() / 32), lane = threadIdx.x % 32;
  if (row >= rows) return;
  float sum = 0.0f;
  for (int h = lane; h < width; h += 32) sum += y[(long long)row * width + h] * dy[(long long)row * width + h];
  sum = combineLanes(sum, Sum());
  if (lane == 0) deltas[row] = sum;
}

// With P the pattern, dP = dy·vᵀ and dS = P (dP − delta) · scale: dq = dS·k. Blocks as in `attention`.
extern "C" __global__ void __launch_bounds__(256, 2) attentionQueryGrad(const float* q, const float* k, const float* v, const float* dy,
                                                                     const float* logSums, const float* deltas, float* dq, int heads,
                                                                     int keyHeads, int seq, int keys, int width, float scale) {
  extern __shared__ __align__(16) float shared[];
  float* queryTile = shared;
  float* gradTile = queryTile + queriesOfTile * stride;
  float* keyTile = gradTile + queriesOfTile * stride;
  float* valueTile = keyTile + keysOfTile * stride;
  float* scoreGrads = valueTile + keysOfTile * stride;  // [queries, keys + 4]
  const int row = threadIdx.x / 16, column = threadIdx.x % 16;
  const int head = blockIdx.y, first = blockIdx.x * queriesOfTile, offset = keys - seq;
  const long long keyHead = keyHeadOf(head, heads, keyHeads) * keys * width, queryHead = (long long)head * seq * width;
  loadTile<queriesOfTile>(q + queryHead, first, seq, width, queryTile);
  loadTile<queriesOfTile>(dy + queryHead, first, seq, width, gradTile);
  float logSum[ROWS], delta[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const int query = first + row * ROWS + r;
    logSum[r] = query < seq ? logSums[(long long)head * seq + query] : 0.0f;
    delta[r] = query < seq ? deltas[(long long)head * seq + query] : 0.0f;
  }
  float sums[ROWS][widths] = {};
  const int last = first + queriesOfTile < seq ? first + queriesOfTile : seq;
  for (int from = 0; from < offset + last; from += keysOfTile) {
    loadTile<keysOfTile>(k + keyHead, from, keys, width, keyTile);
    loadTile<keysOfTile>(v + keyHead, from, keys, width, valueTile);
    __syncthreads();
    float scores[ROWS][COLUMNS], grads[ROWS][COLUMNS];
    dotTiles(queryTile, keyTile, scores);
    dotTiles(gradTile, valueTile, grads);
#pragma unroll
    for (int r = 0; r < ROWS; r++)
#pragma unroll
      for (int c = 0; c < COLUMNS; c++) {
        const int query = first + row * ROWS + r, key = from + column + 16 * c;
        const bool visible = query < seq && key <= offset + query;
        const float p = visible ? expf(scores[r][c] * scale - logSum[r]) : 0.0f;
        scoreGrads[(row * ROWS + r) * weightStride(keysOfTile) + column + 16 * c] = visible ? p * (grads[r][c] - delta[r]) * scale : 0.0f;
      }
    __syncthreads();
    mixTile<ROWS, keysOfTile>(scoreGrads, keyTile, sums);
    __syncthreads();
  }
  storeTile(sums, dq + queryHead, first, seq, width);
}

// dk = dSᵀ·q and dv = Pᵀ·dy, over all query heads that read a head of keys. Here a thread's rows are COLUMNS keys, and its columns are ROWS
// queries. Blocks: x over tiles of keys, y over batch · keyHeads.
extern "C" __global__ void __launch_bounds__(256, 2) attentionKeyGrad(const float* q, const float* k, const float* v, const float* dy,
                                                                   const float* logSums, const float* deltas, float* dk, float* dv, int heads,
                                                                   int keyHeads, int seq, int keys, int width, float scale) {
  extern __shared__ __align__(16) float shared[];
  float* queryTile = shared;
  float* gradTile = queryTile + queriesOfTile * stride;
  float* keyTile = gradTile + queriesOfTile * stride;
  float* valueTile = keyTile + keysOfTile * stride;
  float* weights = valueTile + keysOfTile * stride;  // [keys, queries + 4]: the pattern, then the gradient of the scores
  const int row = threadIdx.x / 16, column = threadIdx.x % 16;
  const int keyHead = blockIdx.y, from = blockIdx.x * keysOfTile, offset = keys - seq, group = heads / keyHeads;
  loadTile<keysOfTile>(k + (long long)keyHead * keys * width, from, keys, width, keyTile);
  loadTile<keysOfTile>(v + (long long)keyHead * keys * width, from, keys, width, valueTile);
  float keySums[COLUMNS][widths] = {}, valueSums[COLUMNS][widths] = {};
  // The first query that sees a key of the tile.
  const int earliest = from > offset ? (from - offset) / queriesOfTile * queriesOfTile : 0;
  for (int g = 0; g < group; g++) {
    const int head = keyHead / keyHeads * heads + keyHead % keyHeads * group + g;
    const long long queryHead = (long long)head * seq * width;
    for (int first = earliest; first < seq; first += queriesOfTile) {
      loadTile<queriesOfTile>(q + queryHead, first, seq, width, queryTile);
      loadTile<queriesOfTile>(dy + queryHead, first, seq, width, gradTile);
      __syncthreads();
      float scores[COLUMNS][ROWS], grads[COLUMNS][ROWS];
      dotTiles(keyTile, queryTile, scores);
      dotTiles(valueTile, gradTile, grads);
#pragma unroll
      for (int c = 0; c < COLUMNS; c++)
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
          const int key = from + row * COLUMNS + c, query = first + column + 16 * r;
          const bool visible = query < seq && key <= offset + query;
          const long long at = (long long)head * seq + query;
          const float p = visible ? expf(scores[c][r] * scale - logSums[at]) : 0.0f;
          weights[(row * COLUMNS + c) * weightStride(queriesOfTile) + column + 16 * r] = p;
          grads[c][r] = visible ? p * (grads[c][r] - deltas[at]) * scale : 0.0f;
        }
      __syncthreads();
      mixTile<COLUMNS, queriesOfTile>(weights, gradTile, valueSums);
      __syncthreads();
#pragma unroll
      for (int c = 0; c < COLUMNS; c++)
#pragma unroll
        for (int r = 0; r < ROWS; r++) weights[(row * COLUMNS + c) * weightStride(queriesOfTile) + column + 16 * r] = grads[c][r];
      __syncthreads();
      mixTile<COLUMNS, queriesOfTile>(weights, queryTile, keySums);
      __syncthreads();
    }
  }
  storeTile(keySums, dk + (long long)keyHead * keys * width, from, keys, width);
  storeTile(valueSums, dv + (long long)keyHead * keys * width, from, keys, width);
}
