// Vectors by the width the machine has, written with the compiler's vector extensions: one source for
// AVX-512, AVX2, NEON and anything else. `Tile` gives the register tile of the product for that width.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX__) || defined(__AVX512F__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace lazyscope {

#if defined(__AVX512F__)
constexpr int W = 16;           // floats a vector
constexpr int MR = 12, NV = 2;  // 24 of 32 registers accumulate
#elif defined(__AVX__)
constexpr int W = 8;
constexpr int MR = 6, NV = 2;  // 12 of 16
#elif defined(__aarch64__)
constexpr int W = 4;
constexpr int MR = 8, NV = 3;  // 24 of 32
#else
constexpr int W = 4;
constexpr int MR = 4, NV = 2;  // 8 of 16
#endif
constexpr int NR = NV * W;

typedef float vec __attribute__((vector_size(W * 4)));
typedef int32_t ivec __attribute__((vector_size(W * 4)));
typedef float vec_unaligned __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef int32_t ivec_unaligned __attribute__((vector_size(W * 4), aligned(4), may_alias));

inline vec load(const float* p) { return *reinterpret_cast<const vec_unaligned*>(p); }
inline void store(float* p, vec v) { *reinterpret_cast<vec_unaligned*>(p) = v; }
// x − 0, unlike 0 + x, keeps −0 and folds away.
inline vec broadcast(float x) { return x - vec{}; }
// a·b + c, rounded once where the machine can. Written out because compilers choose between one rounding and two by
// what they take to be faster, and sums that must come out the same bit for bit go through different code.
inline vec multiply_add(vec a, vec b, vec c) {
#if defined(__AVX512F__)
  return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__) && defined(__AVX__)
  return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
  return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}
inline float sum(vec v) {
  float s = 0;
  for (int i = 0; i < W; i++) s += v[i];
  return s;
}

// The W × W matrix in `rows` becomes its transpose: rounds of interleaving rows that are half the matrix apart.
// Lanes are moved, never computed with, so that they may hold integers as well.
inline void transpose(vec* rows) {
  for (int half = W / 2; half >= 1; half /= 2) {
    vec next[W];
    for (int i = 0; i < W / 2; i++) {
      ivec low, high;
      for (int e = 0; e < W; e++) {
        low[e] = e / 2 + (e % 2) * W;
        high[e] = W / 2 + e / 2 + (e % 2) * W;
      }
#if defined(__clang__)
      for (int e = 0; e < W; e++) {
        next[2 * i][e] = low[e] < W ? rows[i][low[e]] : rows[i + W / 2][low[e] - W];
        next[2 * i + 1][e] = high[e] < W ? rows[i][high[e]] : rows[i + W / 2][high[e] - W];
      }
#else
      next[2 * i] = __builtin_shuffle(rows[i], rows[i + W / 2], low);
      next[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + W / 2], high);
#endif
    }
    for (int i = 0; i < W; i++) rows[i] = next[i];
  }
}

// block[i] = element i of each of W rows, `row(i)` where the i-th begins.
template <class Row>
inline void load_transposed(Row row, vec* block) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  // Halves of two rows a vector, so that the rest happens within halves.
  for (int half = 0; half < 2; half++) {
    __m256 pair[4];
    for (int i = 0; i < 4; i++)
      pair[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(row(i) + 4 * half)),
                                     _mm_loadu_ps(row(i + 4) + 4 * half), 1);
    const __m256 low01 = _mm256_unpacklo_ps(pair[0], pair[1]), high01 = _mm256_unpackhi_ps(pair[0], pair[1]);
    const __m256 low23 = _mm256_unpacklo_ps(pair[2], pair[3]), high23 = _mm256_unpackhi_ps(pair[2], pair[3]);
    block[4 * half] = (vec)_mm256_shuffle_ps(low01, low23, 0x44);
    block[4 * half + 1] = (vec)_mm256_shuffle_ps(low01, low23, 0xee);
    block[4 * half + 2] = (vec)_mm256_shuffle_ps(high01, high23, 0x44);
    block[4 * half + 3] = (vec)_mm256_shuffle_ps(high01, high23, 0xee);
  }
#else
  for (int i = 0; i < W; i++) block[i] = load(row(i));
  transpose(block);
#endif
}

}  // namespace lazyscope
