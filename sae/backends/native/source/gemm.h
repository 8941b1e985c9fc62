// The f32 matrix product, as a template over what happens to each finished piece of the result.
//
//   Operand A{a, lda, transposed}, B{b, ldb, transposed};
//   gemm_tiles(m, n, k, A, B, epilogue, Split::any);
//
// computes op(A)[m,k] · op(B)[k,n] and never stores it. Each piece is handed over once, complete over all
// of k:
//
//   epilogue(int64_t row, int rows, int64_t column, int columns, const float* tile)
//
// element (row + i, column + j) of the product is tile[i * NR + j], for i < rows and j < columns; columns
// <= NR, rows <= MR. `tile` is aligned to 64 bytes and valid only during the call; its
// columns beyond `columns` are 0. `column` is a multiple of NR. The epilogue runs on pool threads, several
// at a time, right after the piece's last sums: while it is in the first-level cache, and so that the rows of a
// result that lie a power of two apart, which share a cache set, are written a few at a time.
//
// With Split::rows a row belongs to one task at a time, and its pieces come in ascending order of column:
// the epilogue may then keep per-row state (a running top-k, a count of what passed a threshold) in plain
// arrays indexed by row, without locks. With Split::any, rows that are few may be cut along columns as well.
//
// The order of summation depends only on k, not on m, n, threads or Split: for more than FEW rows it is one chain of
// fused multiply-adds from the first element to the last.
//
// With Arithmetic::pairs an element of either operand is a pair of 16-bit integers (behind a float's pointer), k
// counts pairs, and the tiles hold the exact sums as 32-bit integers; A must not be transposed, and m > FEW.
//
// How: B is packed into panels [k][NR], a chunk of columns that fits the last-level cache at a time, shared
// by all threads. Each task packs a block of rows of A for its second-level cache, and runs the register
// tile MR × NR over both, KC deep, keeping the piece of the result in the first-level cache.
#pragma once

#include <algorithm>

#include "pool.h"
#include "simd.h"

namespace lazyscope {

struct Operand {
  const float* data;
  int64_t stride;   // floats between rows as stored
  bool transposed;  // stored [k,m] (for A) or [n,k] (for B)
};

enum class Split { any, rows };
enum class Arithmetic { floats, pairs };

// Products of pairs pay where one instruction multiplies twice as many of them as floats.
#if (defined(__AVX2__) && !defined(__AVX512F__)) || defined(__AVX512BW__)
#define LAZYSCOPE_PAIRS 1
#else
#define LAZYSCOPE_PAIRS 0
#endif

namespace gemm {

constexpr int KC = 256;

// A block of A is packed as panels of MR rows and slices of KC; within a slice either row by row
// (from a matrix stored [m,k]: plain copies) or interleaved [k][MR] (stored [k,m]: plain copies too).
// Either way MR floats of one k are MR broadcasts for the tile.
constexpr int A_ROW = KC + 16;  // not a power of two: rows must not share cache sets

// The slice of B after this one, a line an element of depth, into the second-level cache: the first panel of A to meet
// a slice would otherwise wait for the last-level cache at every line. Measured at [1024,768]·[768,8192]: 79 to 87 GFLOP/s.
inline void prefetch_next_slice(const float* b, int64_t depth, int64_t k) {
#pragma GCC unroll 4
  for (int j = 0; j < NR; j += 16) __builtin_prefetch(b + (depth + k) * NR + j, 0, 2);
}

template <int ROWS, bool INTERLEAVED, bool ACCUMULATE>
inline __attribute__((always_inline)) void tile_product(int64_t depth, const float* a, const float* b,
                                                        float* tile) {
  vec sum[ROWS][NV];
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) sum[i][j] = ACCUMULATE ? *(const vec*)(tile + i * NR + j * W) : vec{};
  for (int64_t k = 0; k < depth; k++) {
    prefetch_next_slice(b, depth, k);
    vec row[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) row[j] = *(const vec*)(b + k * NR + j * W);
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; i++) {
      const vec x = broadcast(INTERLEAVED ? a[k * MR + i] : a[i * A_ROW + k]);
#pragma GCC unroll 4
      for (int j = 0; j < NV; j++) sum[i][j] = multiply_add(x, row[j], sum[i][j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) *(vec*)(tile + i * NR + j * W) = sum[i][j];
}

// One panel of `rows` <= MR rows against one panel of B, `depth` <= KC deep. In gemm.cc.
using Kernel = void (*)(int64_t depth, const float* a, const float* b, float* tile);
Kernel kernel(Arithmetic arithmetic, int rows, bool interleaved, bool accumulate);

// Floats of a packed block of `rows` rows of A, k deep.
inline int64_t packed_a_size(int64_t rows, int64_t k) {
  return (rows + MR - 1) / MR * MR * ((k + KC - 1) / KC) * A_ROW;
}
inline int64_t packed_b_size(int64_t columns, int64_t k) { return (columns + NR - 1) / NR * NR * k; }

// Rows [row, row + rows) of op(A); panel after panel, slice after slice. In gemm.cc.
void pack_a(const Operand& a, int64_t row, int64_t rows, int64_t k, float* out);
// Columns [column, column + columns) of op(B), padded with 0 to NR. In gemm.cc.
void pack_b(const Operand& b, int64_t column, int64_t columns, int64_t k, float* out);

// The pieces of a packed block of A times packed panels of B.
template <class Epilogue>
void block(int64_t row, int64_t rows, int64_t column, int64_t columns, int64_t k, Arithmetic arithmetic,
           bool interleaved, const float* a, const float* b, Epilogue& epilogue) {
  const int64_t panels = (rows + MR - 1) / MR;
  const int64_t slices = std::max<int64_t>(1, (k + KC - 1) / KC);
  const int last_rows = static_cast<int>(rows - (panels - 1) * MR);
  float* tile = scratch(Scratch::tile, panels * MR * NR);
  for (int64_t j = 0; j < columns; j += NR)
    for (int64_t s = 0; s < slices; s++) {
      const int64_t depth = std::min<int64_t>(KC, k - s * KC);
      const float* b_slice = b + j * k + s * KC * NR;
      for (int64_t p = 0; p < panels; p++) {
        const int count = p + 1 < panels ? MR : last_rows;
        float* piece = tile + p * MR * NR;
        kernel(arithmetic, count, interleaved, s > 0)(depth, a + (p * slices + s) * (MR * A_ROW), b_slice, piece);
        if (s + 1 == slices)
          epilogue(row + p * MR, count, column + j, static_cast<int>(std::min<int64_t>(NR, columns - j)),
                   static_cast<const float*>(piece));
      }
    }
}

// Up to 4 rows of op(A): B is read once and not packed. In gemm.cc; `tiles` gets rows × NR for each panel of
// NR columns.
constexpr int FEW = 4;
constexpr int64_t FEW_PANELS = 2048 / NR;  // runs long enough for the prefetchers
void few_rows(int rows, int64_t column, int64_t columns, int64_t k, const float* a /* [rows][k] */,
              const Operand& b, float* tiles);

struct Grid {
  int64_t rows;     // of a block of A
  int64_t columns;  // of a chunk of B
  int64_t splits;   // of a chunk among tasks
};
Grid grid(int64_t m, int64_t n, int64_t k, Split split, int threads);

}  // namespace gemm

template <class Epilogue>
void gemm_tiles(int64_t m, int64_t n, int64_t k, const Operand& a, const Operand& b, Epilogue&& epilogue,
                Split split = Split::any, Arithmetic arithmetic = Arithmetic::floats) {
  using namespace gemm;
  if (m <= 0 || n <= 0) return;

  if (m <= FEW) {
    float* rows = scratch(Scratch::packA, FEW * k);
    for (int64_t i = 0; i < m; i++)
      for (int64_t l = 0; l < k; l++) rows[i * k + l] = a.transposed ? a.data[l * a.stride + i] : a.data[i * a.stride + l];
    auto piece = [&](int64_t first, int64_t last) {
      float* tiles = scratch(Scratch::tile, FEW_PANELS * FEW * NR);
      for (int64_t p = first; p < last; p += FEW_PANELS) {
        const int64_t end = std::min(n, std::min(last, p + FEW_PANELS) * NR);
        few_rows(static_cast<int>(m), p * NR, end - p * NR, k, rows, b, tiles);
        for (int64_t j = p * NR; j < end; j += NR)
          epilogue(int64_t(0), static_cast<int>(m), j, static_cast<int>(std::min<int64_t>(NR, end - j)),
                   static_cast<const float*>(tiles + (j / NR - p) * m * NR));
      }
    };
    const int64_t panels = (n + NR - 1) / NR;
    // Memory-bound: a task should read at least 64 KB, and long runs.
    const int64_t least = 16384 / (NR * std::max<int64_t>(k, 1)), even = (panels + 2 * threads() - 1) / (2 * threads());
    if (split == Split::rows) piece(0, panels);
    else parallel_for(0, panels, std::max<int64_t>(1, std::max(least, even)), piece);
    return;
  }

  const bool small = m * n * k < 64 * 64 * 64 || inside_parallel();
  const Grid g = grid(m, n, k, split, small ? 1 : threads());
  const int64_t blocks = (m + g.rows - 1) / g.rows;
  // When a chunk is cut along columns, all its tasks read the same packed A.
  const bool share_a = g.splits > 1;
  const int64_t a_block = packed_a_size(g.rows, k);
  float* shared_a = share_a ? scratch(Scratch::packA, blocks * a_block) : nullptr;
  float* packed_b = scratch(Scratch::packB, packed_b_size(std::min(g.columns, n), k));

  for (int64_t column = 0; column < n; column += g.columns) {
    const int64_t columns = std::min(g.columns, n - column);
    const int64_t panels = (columns + NR - 1) / NR;
    auto prepare_b = [&](int64_t first, int64_t last) {
      pack_b(b, column + first * NR, std::min(columns, last * NR) - first * NR, k, packed_b + first * NR * k);
    };
    auto prepare_a = [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; i++)
        pack_a(a, i * g.rows, std::min(g.rows, m - i * g.rows), k, shared_a + i * a_block);
    };
    const int64_t split_panels = (panels + g.splits - 1) / g.splits;
    auto compute = [&](int64_t first, int64_t last) {
      for (int64_t t = first; t < last; t++) {
        const int64_t i = t / g.splits, row = i * g.rows, rows = std::min(g.rows, m - row);
        const int64_t from = t % g.splits * split_panels * NR;
        const int64_t to = std::min(columns, from + split_panels * NR);
        if (from >= to) continue;
        const float* packed_a = shared_a + i * a_block;
        if (!share_a) {
          float* mine = scratch(Scratch::packA, a_block);
          pack_a(a, row, rows, k, mine);
          packed_a = mine;
        }
        block(row, rows, column + from, to - from, k, arithmetic, a.transposed, packed_a, packed_b + from * k, epilogue);
      }
    };
    const int64_t tasks = blocks * g.splits;
    if (small) {
      prepare_b(0, panels);
      if (share_a) prepare_a(0, blocks);
      compute(0, tasks);
    } else {
      parallel_for(0, panels, std::max<int64_t>(1, 16384 / (NR * std::max<int64_t>(k, 1))), prepare_b);
      if (share_a && column == 0) parallel_for(0, blocks, 1, prepare_a);
      parallel_for(0, tasks, 1, compute);
    }
  }
}

// C[m,n] = alpha · op(A) op(B) + beta · C + bias[n], then max(0, ·) if relu. bias may be null.
struct Store {
  float* c;
  int64_t stride;
  float alpha, beta;
  const float* bias;
  bool relu;
  void operator()(int64_t row, int rows, int64_t column, int columns, const float* tile) const;
};

// The ordinary product. Deep products are cut along k, so that packed operands stay in cache.
void product(int64_t m, int64_t n, int64_t k, const Operand& a, const Operand& b, const Store& out);

}  // namespace lazyscope
