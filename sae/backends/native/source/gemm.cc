#include "gemm.h"
#include "lazyscope.h"

#include <cstdlib>

namespace lazyscope {
namespace gemm {
namespace {

template <int ROWS, bool INTERLEAVED, bool ACCUMULATE>
void tile_kernel(int64_t depth, const float* a, const float* b, float* tile) {
  tile_product<ROWS, INTERLEAVED, ACCUMULATE>(depth, a, b, tile);
}

template <bool INTERLEAVED, bool ACCUMULATE>
constexpr Kernel kernels[] = {
    tile_kernel<1, INTERLEAVED, ACCUMULATE>,  tile_kernel<2, INTERLEAVED, ACCUMULATE>,
    tile_kernel<3, INTERLEAVED, ACCUMULATE>,  tile_kernel<4, INTERLEAVED, ACCUMULATE>,
#if defined(__AVX__) || defined(__aarch64__)
    tile_kernel<5, INTERLEAVED, ACCUMULATE>,  tile_kernel<6, INTERLEAVED, ACCUMULATE>,
#endif
#if defined(__AVX512F__) || defined(__aarch64__)
    tile_kernel<7, INTERLEAVED, ACCUMULATE>,  tile_kernel<8, INTERLEAVED, ACCUMULATE>,
#endif
#if defined(__AVX512F__)
    tile_kernel<9, INTERLEAVED, ACCUMULATE>,  tile_kernel<10, INTERLEAVED, ACCUMULATE>,
    tile_kernel<11, INTERLEAVED, ACCUMULATE>, tile_kernel<12, INTERLEAVED, ACCUMULATE>,
#endif
};
static_assert(sizeof(kernels<true, true>) / sizeof(Kernel) == MR, "one kernel for each number of rows");

#if LAZYSCOPE_PAIRS
// total + a·b, lane by lane, each a pair of 16-bit integers.
inline ivec add_pairs(ivec total, int32_t a, ivec b) {
#if defined(__AVX512VNNI__)
  return (ivec)_mm512_dpwssd_epi32((__m512i)total, _mm512_set1_epi32(a), (__m512i)b);
#elif defined(__AVX512BW__)
  return total + (ivec)_mm512_madd_epi16(_mm512_set1_epi32(a), (__m512i)b);
#else
  return total + (ivec)_mm256_madd_epi16(_mm256_set1_epi32(a), (__m256i)b);
#endif
}

template <int ROWS, bool ACCUMULATE>
void pair_kernel(int64_t depth, const float* a, const float* b, float* tile) {
  const int32_t* pairs = reinterpret_cast<const int32_t*>(a);
  ivec sum[ROWS][NV];
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) sum[i][j] = ACCUMULATE ? *(const ivec_unaligned*)(tile + i * NR + j * W) : ivec{};
  for (int64_t k = 0; k < depth; k++) {
    prefetch_next_slice(b, depth, k);
    ivec row[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) row[j] = *(const ivec_unaligned*)(b + k * NR + j * W);
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
      for (int j = 0; j < NV; j++) sum[i][j] = add_pairs(sum[i][j], pairs[i * A_ROW + k], row[j]);
  }
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) *(ivec_unaligned*)(tile + i * NR + j * W) = sum[i][j];
}

template <bool ACCUMULATE>
constexpr Kernel pair_kernels[] = {
    pair_kernel<1, ACCUMULATE>,  pair_kernel<2, ACCUMULATE>,  pair_kernel<3, ACCUMULATE>,
    pair_kernel<4, ACCUMULATE>,  pair_kernel<5, ACCUMULATE>,  pair_kernel<6, ACCUMULATE>,
#if defined(__AVX512F__)
    pair_kernel<7, ACCUMULATE>,  pair_kernel<8, ACCUMULATE>,  pair_kernel<9, ACCUMULATE>,
    pair_kernel<10, ACCUMULATE>, pair_kernel<11, ACCUMULATE>, pair_kernel<12, ACCUMULATE>,
#endif
};
static_assert(sizeof(pair_kernels<true>) / sizeof(Kernel) == MR, "one kernel for each number of rows");
#endif

// out[l * NR + j] = rows[j * stride + l]: transposes NR rows, `depth` deep, W × W at a time.
void transpose_panel(const float* from, int64_t stride, int columns, int64_t depth, float* out) {
  int64_t l = 0;
  if (columns == NR) {
    for (; l + W <= depth; l += W) {
      for (int v = 0; v < NV; v++) {
        vec row[W];
        load_transposed([&](int i) { return from + (v * W + i) * stride + l; }, row);
        for (int i = 0; i < W; i++) *(vec*)(out + (l + i) * NR + v * W) = row[i];
      }
    }
  }
  for (; l < depth; l++)
    for (int j = 0; j < NR; j++) out[l * NR + j] = j < columns ? from[j * stride + l] : 0.0f;
}

}  // namespace

Kernel kernel(Arithmetic arithmetic, int rows, bool interleaved, bool accumulate) {
  const int i = rows - 1;
  if (arithmetic == Arithmetic::pairs) {
#if LAZYSCOPE_PAIRS
    return accumulate ? pair_kernels<true>[i] : pair_kernels<false>[i];
#else
    std::abort();
#endif
  }
  if (interleaved) return accumulate ? kernels<true, true>[i] : kernels<true, false>[i];
  return accumulate ? kernels<false, true>[i] : kernels<false, false>[i];
}

void pack_a(const Operand& a, int64_t row, int64_t rows, int64_t k, float* out) {
  const int64_t slices = (k + KC - 1) / KC;
  const int64_t panels = (rows + MR - 1) / MR;
  if (a.transposed) {
    // Row after row of the matrix as stored, each shared out to all panels: a panel at a time would touch a
    // few bytes of every cache line, far apart.
    const int64_t whole = rows / MR;
    for (int64_t l = 0; l < k; l++) {
      const float* from = a.data + l * a.stride + row;
      float* to = out + l / KC * (MR * A_ROW) + l % KC * MR;
      for (int64_t p = 0; p < whole; p++)
        std::memcpy(to + p * slices * (MR * A_ROW), from + p * MR, MR * sizeof(float));
      for (int64_t i = whole * MR; i < rows; i++) to[whole * slices * (MR * A_ROW) + i - whole * MR] = from[i];
    }
    return;
  }
  for (int64_t p = 0; p < panels; p++)
    for (int64_t s = 0; s < slices; s++, out += MR * A_ROW) {
      const int64_t depth = std::min<int64_t>(KC, k - s * KC);
      const float* from = a.data + (row + p * MR) * a.stride + s * KC;
      for (int64_t i = 0; i < std::min<int64_t>(MR, rows - p * MR); i++)
        std::memcpy(out + i * A_ROW, from + i * a.stride, depth * sizeof(float));
    }
}

void pack_b(const Operand& b, int64_t column, int64_t columns, int64_t k, float* out) {
  // A few panels at a time: a line of a row alone, and then one a whole row further, is what no prefetcher foresees.
  constexpr int64_t together = 4;
  const int64_t whole = b.transposed ? 0 : columns / NR;
  for (int64_t p = 0; p < whole; p += together) {
    const int64_t group = std::min(together, whole - p);
    const float* from = b.data + column + p * NR;
    float* to = out + p * NR * k;
    for (int64_t l = 0; l < k; l++)
      for (int64_t g = 0; g < group; g++)
        for (int v = 0; v < NV; v++)
          *(vec*)(to + (g * k + l) * NR + v * W) = load(from + l * b.stride + g * NR + v * W);
  }
  out += whole * NR * k;
  for (int64_t j = whole * NR; j < columns; j += NR, out += NR * k) {
    const int width = static_cast<int>(std::min<int64_t>(NR, columns - j));
    if (b.transposed) {
      transpose_panel(b.data + (column + j) * b.stride, b.stride, width, k, out);
    } else {
      const float* from = b.data + column + j;
      for (int64_t l = 0; l < k; l++)
        for (int i = 0; i < NR; i++) out[l * NR + i] = i < width ? from[l * b.stride + i] : 0.0f;
    }
  }
}

namespace {
// Rows of B are read in runs of many panels, four at a time, and added up in the tiles, which stay in the
// first-level cache.
template <int ROWS>
void few_rows_plain(int64_t columns, int64_t k, const float* a, const float* b, int64_t stride, float* tiles) {
  const int64_t panels = columns / NR;
  std::fill(tiles, tiles + (columns + NR - 1) / NR * ROWS * NR, 0.0f);
  int64_t l = 0;
  for (; l + 4 <= k; l += 4) {
    const float* from = b + l * stride;
    for (int64_t p = 0; p < panels; p++)
      for (int v = 0; v < NV; v++) {
        const float* at = from + p * NR + v * W;
        const vec b0 = load(at), b1 = load(at + stride), b2 = load(at + 2 * stride), b3 = load(at + 3 * stride);
        for (int i = 0; i < ROWS; i++) {
          const float* x = a + i * k + l;
          vec& y = *(vec*)(tiles + (p * ROWS + i) * NR + v * W);
          y = y + broadcast(x[0]) * b0 + broadcast(x[1]) * b1 + broadcast(x[2]) * b2 + broadcast(x[3]) * b3;
        }
      }
  }
  for (; l < k; l++)
    for (int64_t p = 0; p < panels; p++)
      for (int v = 0; v < NV; v++) {
        const vec x = load(b + l * stride + p * NR + v * W);
        for (int i = 0; i < ROWS; i++) *(vec*)(tiles + (p * ROWS + i) * NR + v * W) += broadcast(a[i * k + l]) * x;
      }
  const int rest = static_cast<int>(columns - panels * NR);
  if (rest == 0) return;
  float* last = tiles + panels * ROWS * NR;
  for (l = 0; l < k; l++) {
    const float* from = b + l * stride + panels * NR;
    for (int i = 0; i < ROWS; i++)
      for (int j = 0; j < rest; j++) last[i * NR + j] += a[i * k + l] * from[j];
  }
}

template <int ROWS>
void few_rows_transposed(int64_t columns, int64_t k, const float* a, const float* b, int64_t stride, float* tiles) {
  std::fill(tiles, tiles + (columns + NR - 1) / NR * ROWS * NR, 0.0f);
  for (int64_t j = 0; j < columns; j++) {
    float* tile = tiles + j / NR * ROWS * NR + j % NR;
    const float* row = b + j * stride;
    vec total[ROWS][2];
    for (int i = 0; i < ROWS; i++) total[i][0] = total[i][1] = vec{};
    int64_t l = 0;
    for (; l + 2 * W <= k; l += 2 * W)
      for (int i = 0; i < ROWS; i++) {
        total[i][0] += load(a + i * k + l) * load(row + l);
        total[i][1] += load(a + i * k + l + W) * load(row + l + W);
      }
    for (int i = 0; i < ROWS; i++) {
      float rest = 0;
      for (int64_t t = l; t < k; t++) rest += a[i * k + t] * row[t];
      tile[i * NR] = sum(total[i][0] + total[i][1]) + rest;
    }
  }
}
}  // namespace

void few_rows(int rows, int64_t column, int64_t columns, int64_t k, const float* a, const Operand& b, float* tiles) {
  const float* from = b.transposed ? b.data + column * b.stride : b.data + column;
  auto call = [&](auto plain, auto transposed) {
    (b.transposed ? transposed : plain)(columns, k, a, from, b.stride, tiles);
  };
  if (rows == 1) call(few_rows_plain<1>, few_rows_transposed<1>);
  else if (rows == 2) call(few_rows_plain<2>, few_rows_transposed<2>);
  else if (rows == 3) call(few_rows_plain<3>, few_rows_transposed<3>);
  else call(few_rows_plain<4>, few_rows_transposed<4>);
}

#if defined(__AVX512F__)
constexpr int64_t second_level = 1 << 20;  // the least that CPUs with AVX-512 have
#else
constexpr int64_t second_level = 512 << 10;
#endif

Grid grid(int64_t m, int64_t n, int64_t k, Split split, int threads) {
  const int64_t depth = std::max<int64_t>(k, 1);
  // A chunk of B: 3 MB of last-level cache, which others use as well. A block of A: half of the second-level cache.
  const int64_t columns = std::max<int64_t>(NR * 8, (3 << 20) / (4 * depth) / NR * NR);
  int64_t rows = std::min<int64_t>(192, std::max<int64_t>(4 * MR, second_level / (8 * depth))) / MR * MR;
  if (threads == 1) return {rows, columns, 1};
  // Enough tasks to keep all threads busy to the end; rows first, then (if allowed) columns.
  const int64_t wanted = 4 * threads;
  if ((m + rows - 1) / rows < wanted) {
    const int64_t even = (m + wanted - 1) / wanted;
    rows = std::min(rows, std::max<int64_t>(split == Split::rows ? MR : 4 * MR, (even + MR - 1) / MR * MR));
  }
  const int64_t blocks = (m + rows - 1) / rows;
  int64_t splits = 1;
  if (split == Split::any && blocks < wanted) {
    const int64_t panels = (std::min(columns, n) + NR - 1) / NR;
    splits = std::max<int64_t>(1, std::min((wanted + blocks - 1) / blocks, panels / 2));
  }
  return {rows, columns, splits};
}

}  // namespace gemm

void Store::operator()(int64_t row, int rows, int64_t column, int columns, const float* tile) const {
  float* out = c + row * stride + column;
  const bool plain = alpha == 1.0f && beta == 0.0f && !bias && !relu;
  if (columns == NR) {
    vec shift[NV];
    for (int j = 0; j < NV; j++) shift[j] = bias ? load(bias + column + j * W) : vec{};
    for (int i = 0; i < rows; i++, out += stride)
      for (int j = 0; j < NV; j++) {
        vec x = *(const vec*)(tile + i * NR + j * W);
        if (!plain) {
          x = x * alpha + shift[j];
          if (beta != 0.0f) x += load(out + j * W) * beta;
          if (relu) x = x > vec{} ? x : (x != x ? x : vec{});
        }
        store(out + j * W, x);
      }
    return;
  }
  for (int i = 0; i < rows; i++, out += stride)
    for (int j = 0; j < columns; j++) {
      float x = tile[i * NR + j] * alpha + (bias ? bias[column + j] : 0.0f);
      if (beta != 0.0f) x += out[j] * beta;
      out[j] = relu && x <= 0.0f ? 0.0f : x;
    }
}

void product(int64_t m, int64_t n, int64_t k, const Operand& a, const Operand& b, const Store& out) {
  // Measured: a small C may be written again every 2 KC of depth, rather than have blocks of A too small to
  // reuse B; a large one would leave the cache each time.
  const int64_t deep = k <= 4 * gemm::KC ? k : m * n <= 1 << 18 ? 2 * gemm::KC : 4 * gemm::KC;
  int64_t from = 0;
  do {
    const int64_t depth = std::min(deep, k - from);
    const bool last = from + depth >= k;
    const Operand a_slice{a.transposed ? a.data + from * a.stride : a.data + from, a.stride, a.transposed};
    const Operand b_slice{b.transposed ? b.data + from : b.data + from * b.stride, b.stride, b.transposed};
    const Store store{out.c, out.stride, out.alpha, from == 0 ? out.beta : 1.0f, last ? out.bias : nullptr,
                      last && out.relu};
    gemm_tiles(m, n, depth, a_slice, b_slice, store);
    from += depth;
  } while (from < k);
}

}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

void lazyscope_gemm(const LazyscopeGemm* arguments) {
  const auto& in = *arguments;
  const float *a = in.a, *b = in.b, *bias = in.bias;
  float* c = in.c;
  const int64_t batch = in.batch, m = in.m, n = in.n, k = in.k;
  auto one = [&](int64_t i) {
    product(m, n, k, {a + i * in.a_stride, in.transpose_a ? m : k, in.transpose_a != 0},
            {b + i * in.b_stride, in.transpose_b ? k : n, in.transpose_b != 0},
            {c + i * m * n, n, in.alpha, in.beta, bias, in.relu != 0});
  };
  // Many matrices: one a thread at a time. Few: all threads on each.
  if (batch >= 2 * threads())
    parallel_for(0, batch, std::max<int64_t>(1, std::min(batch / (8 * threads()), 65536 / std::max<int64_t>(1, m * n * k))),
                 [&](int64_t first, int64_t last) {
                   for (int64_t i = first; i < last; i++) one(i);
                 });
  else
    for (int64_t i = 0; i < batch; i++) one(i);
}

int32_t lazyscope_vector_width() { return W; }
}
