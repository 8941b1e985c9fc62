// Rows of floats, the unit in which the fused ops work: sums of scaled rows and inner products with a row that
// stays in the first-level cache. The order of summation depends on nothing but the arguments' order.
#pragma once

#include <cmath>
#include <vector>

#include "pool.h"
#include "simd.h"

namespace lazyscope {

// Columns of a matrix that one thread sums down all rows: shorter stretches of a row are over before they are fetched.
constexpr int64_t columns_together = 512;

// One bit for each lane whose mask is set.
inline unsigned mask_bits(ivec mask) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return _mm512_movepi32_mask((__m512i)mask);
#elif defined(__AVX2__) && !defined(__AVX512F__)
  return static_cast<unsigned>(_mm256_movemask_ps((__m256)mask));
#else
  unsigned bits = 0;
  for (int i = 0; i < W; i++) bits |= (mask[i] ? 1u : 0u) << i;
  return bits;
#endif
}

// out += a·x
inline void add_row(float* out, const float* x, float a, int64_t d) {
  int64_t j = 0;
  const vec va = broadcast(a);
  for (; j + W <= d; j += W) store(out + j, load(out + j) + va * load(x + j));
  for (; j < d; j++) out[j] += a * x[j];
}

// out += Σ a[e]·rows[e], four rows at a time.
inline void add_rows(float* out, const float* const* rows, const float* a, int count, int64_t d) {
  int e = 0;
  for (; e + 4 <= count; e += 4) {
    const float *r0 = rows[e], *r1 = rows[e + 1], *r2 = rows[e + 2], *r3 = rows[e + 3];
    const vec a0 = broadcast(a[e]), a1 = broadcast(a[e + 1]), a2 = broadcast(a[e + 2]), a3 = broadcast(a[e + 3]);
    int64_t j = 0;
    for (; j + W <= d; j += W) {
      vec s = load(out + j);
      s += a0 * load(r0 + j);
      s += a1 * load(r1 + j);
      s += a2 * load(r2 + j);
      s += a3 * load(r3 + j);
      store(out + j, s);
    }
    for (; j < d; j++) {
      float s = out[j];
      s += a[e] * r0[j];
      s += a[e + 1] * r1[j];
      s += a[e + 2] * r2[j];
      s += a[e + 3] * r3[j];
      out[j] = s;
    }
  }
  for (; e < count; e++) add_row(out, rows[e], a[e], d);
}

inline float dot_row(const float* x, const float* y, int64_t d) {
  vec s0{}, s1{};
  int64_t j = 0;
  for (; j + 2 * W <= d; j += 2 * W) {
    s0 += load(x + j) * load(y + j);
    s1 += load(x + j + W) * load(y + j + W);
  }
  float rest = 0;
  for (; j < d; j++) rest += x[j] * y[j];
  return sum(s0 + s1) + rest;
}

// out[e] = x · rows[e]
inline void dot_rows(const float* x, const float* const* rows, int count, int64_t d, float* out) {
  int e = 0;
  for (; e + 4 <= count; e += 4) {
    vec s[4] = {};
    int64_t j = 0;
    for (; j + W <= d; j += W) {
      const vec v = load(x + j);
      for (int i = 0; i < 4; i++) s[i] += v * load(rows[e + i] + j);
    }
    for (int i = 0; i < 4; i++) {
      float rest = 0;
      for (int64_t t = j; t < d; t++) rest += x[t] * rows[e + i][t];
      out[e + i] = sum(s[i]) + rest;
    }
  }
  for (; e < count; e++) out[e] = dot_row(x, rows[e], d);
}

// A latent fires where z > θ; a z that is NaN fires, so that it reaches the loss. Where θ is NaN nothing fires.
inline bool fires(float z, float threshold) { return z > threshold || z != z; }

// Memory that stays allocated from call to call, one a use and a thread. It is not touched before it is used: what
// was asked for in case it is needed costs no pages.
template <class T>
struct Untouched : std::allocator<T> {
  template <class U>
  struct rebind {
    using other = Untouched<U>;
  };
  template <class U>
  void construct(U*) noexcept {}
};
template <class T>
using Buffer = std::vector<T, Untouched<T>>;
template <class T>
T* at_least(Buffer<T>& buffer, size_t count) {
  if (buffer.size() < count) {
    buffer = Buffer<T>();
    buffer.resize(count + count / 4);
  }
  return buffer.data();
}

}  // namespace lazyscope
