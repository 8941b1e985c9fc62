#include "lazyscope.h"
#include "screening.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

namespace lazyscope {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
// ‖q‖ of both operands: 46,340² < 2³¹.
constexpr double longest = 46340;
// Roundings in computing norms and bounds themselves, with room to spare.
constexpr float slack = 1.001f;

#if LAZYSCOPE_PAIRS
#if defined(__AVX512F__)
inline ivec nearest(vec x) { return (ivec)_mm512_cvtps_epi32((__m512)x); }
inline void store_pairs(int16_t* out, ivec a, ivec b) {
  _mm512_storeu_si512(out, _mm512_packs_epi32((__m512i)a, (__m512i)b));
}
#else
inline ivec nearest(vec x) { return (ivec)_mm256_cvtps_epi32((__m256)x); }
inline void store_pairs(int16_t* out, ivec a, ivec b) {
  _mm256_storeu_si256((__m256i*)out, _mm256_packs_epi32((__m256i)a, (__m256i)b));
}
#endif
#else
inline ivec nearest(vec x) {
  ivec out;
  for (int i = 0; i < W; i++) out[i] = int32_t(std::lrint(x[i]));
  return out;
}
inline void store_pairs(int16_t* out, ivec a, ivec b) {
  for (int i = 0; i < W; i++) out[i] = int16_t(a[i]), out[W + i] = int16_t(b[i]);
}
#endif

// The largest power of two at most x.
inline float power_below(double x) {
  int exponent;
  std::frexp(x, &exponent);
  return float(std::ldexp(1.0, exponent - 1));
}

struct Rounded {
  float inverse, norm, residual;
};

Rounded round_row(const float* v, int64_t d, int16_t* out) {
  vec most{}, squares{};
  float largest = 0, total = 0;
  int64_t j = 0;
  for (; j + W <= d; j += W) {
    const vec x = load(v + j), size = x < 0.0f ? -x : x;
    most = size > most ? size : most;
    squares += x * x;
  }
  for (int i = 0; i < W; i++) largest = std::max(largest, most[i]);
  for (; j < d; j++) {
    largest = std::max(largest, std::fabs(v[j]));
    total += v[j] * v[j];
  }
  const float norm = std::sqrt(sum(squares) + total) * slack;
  std::memset(out, 0, (d + 1) / 2 * 2 * sizeof(int16_t));
  if (norm == 0 && largest == 0) return {1, 0, 0};
  if (!(norm > 1e-12f && norm < 1e12f)) return {1, infinity, infinity};
  // Rounding adds at most √d/2 to the norm.
  const double room = longest - std::sqrt(double(d)) / 2 - 1;
  const float scale = power_below(std::min(room / norm, 32766.0 / largest));
  vec off{};
  float rest = 0;
  j = 0;
  for (; j + 2 * W <= d; j += 2 * W) {
    const vec x = load(v + j) * scale, y = load(v + j + W) * scale;
    const ivec p = nearest(x), q = nearest(y);
    const vec dx = x - __builtin_convertvector(p, vec), dy = y - __builtin_convertvector(q, vec);
    off += dx * dx + dy * dy;
    store_pairs(out + j, p, q);
  }
  for (; j < d; j++) {
    const float x = v[j] * scale, q = std::nearbyint(x);
    rest += (x - q) * (x - q);
    out[j] = int16_t(q);
  }
  return {1 / scale, norm, std::sqrt(sum(off) + rest) / scale * slack};
}

// Some vectors of latents at a time, so that their chains run side by side.
template <int GROUPS>
void exact_groups(const float* x, const float* const* rows, int64_t d, float* out) {
  vec total[GROUPS] = {};
  int64_t j = 0;
  for (; j + W <= d; j += W)
#pragma GCC unroll 4
    for (int g = 0; g < GROUPS; g++) {
      vec block[W];
      load_transposed([&](int i) { return rows[g * W + i] + j; }, block);
      for (int i = 0; i < W; i++) total[g] = multiply_add(broadcast(x[j + i]), block[i], total[g]);
    }
  for (; j < d; j++)
    for (int g = 0; g < GROUPS; g++) {
      vec column;
      for (int i = 0; i < W; i++) column[i] = rows[g * W + i][j];
      total[g] = multiply_add(broadcast(x[j]), column, total[g]);
    }
  for (int g = 0; g < GROUPS; g++) store(out + g * W, total[g]);
}

std::atomic<int> resting{0};

}  // namespace

RoundedRows round_rows(RoundedBuffers& buffers, const float* data, int64_t rows, int64_t d) {
  const int64_t depth = (d + 1) / 2;
  float* pairs = at_least(buffers.pairs, rows * depth);
  float* inverse = at_least(buffers.inverse, rows + NR);
  float* norm = at_least(buffers.norm, rows + NR);
  float* residual = at_least(buffers.residual, rows + NR);
  for (float* values : {inverse, norm, residual}) std::fill(values + rows, values + rows + NR, 0.0f);
  parallel_for(0, rows, 32, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; row++) {
      const Rounded r = round_row(data + row * d, d, reinterpret_cast<int16_t*>(pairs + row * depth));
      inverse[row] = r.inverse;
      norm[row] = r.norm;
      residual[row] = r.residual;
    }
  });
  return {pairs, depth, inverse, norm, residual};
}

LatentBounds latent_bounds(BoundBuffers& buffers, const RoundedRows& w, const float* b, int64_t latents, int64_t d) {
  float* bias = at_least(buffers.bias, latents + NR);
  float* of_norm = at_least(buffers.of_norm, latents + NR);
  float* of_residual = at_least(buffers.of_residual, latents + NR);
  float* of_bias = at_least(buffers.of_bias, latents + NR);
  const float unit = 0x1p-24f;
  // d roundings of the chain, one each of the conversion, the scaling and the two additions of the bias.
  const float chain = float(d + 8) * unit * slack;
  for (int64_t i = 0; i < latents + NR; i++) {
    const bool real = i < latents;
    bias[i] = real ? b[i] : 0.0f;
    of_norm[i] = real ? (w.residual[i] + chain * w.norm[i]) * slack : 0.0f;
    of_residual[i] = real ? (w.norm[i] + w.residual[i]) * slack : 0.0f;
    of_bias[i] = 8 * unit * std::fabs(bias[i]);
  }
  return {bias, of_norm, of_residual, of_bias, w.inverse};
}

void exact_dots(const float* x, const float* w, int64_t d, const int32_t* latents, int64_t count, float* out) {
  constexpr int most = 4 * W;
  const float* rows[most];
  float values[most];
  for (int64_t from = 0; from < count; from += most) {
    const int n = int(std::min<int64_t>(most, count - from));
    for (int i = 0; i < most; i++) rows[i] = w + int64_t(latents[from + std::min(i, n - 1)]) * d;
    const int groups = (n + W - 1) / W;
    if (groups == 1) exact_groups<1>(x, rows, d, values);
    else if (groups == 2) exact_groups<2>(x, rows, d, values);
    else if (groups == 3) exact_groups<3>(x, rows, d, values);
    else exact_groups<4>(x, rows, d, values);
    std::memcpy(out + from, values, n * sizeof(float));
  }
}

// Measured on one Zen 3 core, encoding 2,048 rows without and with screening, in ms (AVX2: pairs run 1.6 times as fast
// as floats; the rest is rounding, the bounds, and the pre-activations of what is left):
//
//     d = 768, 12,288 latents, 32 left   446  324       d = 256, 2,048 latents, 32 left    26  29
//                              78 left   463  339       d = 256, 4,096 latents, 32 left    52  48
//                             365 left   474  446       d = 512, 4,096 latents, 32 left    99  84
//     d = 1,024, 8,192 latents, 32 left  377  293       d = 128, 1,024 latents, 32 left     8  12
bool screens(int32_t asked, int64_t rows, int64_t d, int64_t latents, int64_t expected) {
  if (!LAZYSCOPE_PAIRS || asked == Screening::never || rows <= gemm::FEW) return false;
  if (asked == Screening::always) return true;
  if (rows < 64 || d < 192 || latents < std::max<int64_t>(4096, 32 * expected)) return false;
  if (resting.load(std::memory_order_relaxed) <= 0) return true;
  resting.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

void screening_wasted() { resting.store(50, std::memory_order_relaxed); }

}  // namespace lazyscope

extern "C" {
int32_t lazyscope_can_screen() { return LAZYSCOPE_PAIRS; }
}
