// Vectors by the width the machine has, written with the compiler's vector extensions: one source for
// AVX-512, AVX2, NEON and anything else. `Tile` gives the register tile of the product for that width.
#pragma once

#include <cstdint>
#include <cstring>

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

inline vec load(const float* p) { return *reinterpret_cast<const vec_unaligned*>(p); }
inline void store(float* p, vec v) { *reinterpret_cast<vec_unaligned*>(p) = v; }
// x − 0, unlike 0 + x, keeps −0 and folds away.
inline vec broadcast(float x) { return x - vec{}; }
inline float sum(vec v) {
  float s = 0;
  for (int i = 0; i < W; i++) s += v[i];
  return s;
}

}  // namespace lazyscope
