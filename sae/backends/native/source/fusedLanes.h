// Keeping some lanes of a vector: the step from a comparison to a list.
#pragma once

#include "fusedRows.h"

namespace lazyscope {

inline ivec first_lanes() {
  ivec v{};
  for (int i = 0; i < W; i++) v[i] = i;
  return v;
}
const ivec lanes = first_lanes();  // 0, 1, 2 …

#if defined(__AVX2__) && !defined(__AVX512F__)
// For each mask, the lanes that are set, then anything.
struct Order {
  alignas(32) int32_t lane[256][8];
  constexpr Order() : lane{} {
    for (int mask = 0; mask < 256; mask++)
      for (int i = 0, at = 0; i < 8; i++)
        if (mask >> i & 1) lane[mask][at++] = i;
  }
};
constexpr Order order;
#endif

// Writes the lanes of `a` and `b` whose bits are set, in order, to a_out and b_out, and returns how many. Up to W
// elements are written whatever the number.
inline int keep_lanes(unsigned bits, ivec a, ivec b, int32_t* a_out, int32_t* b_out) {
#if defined(__AVX512F__)
  _mm512_mask_compressstoreu_epi32(a_out, __mmask16(bits), (__m512i)a);
  _mm512_mask_compressstoreu_epi32(b_out, __mmask16(bits), (__m512i)b);
#elif defined(__AVX2__)
  const __m256i from = _mm256_load_si256((const __m256i*)order.lane[bits]);
  _mm256_storeu_si256((__m256i*)a_out, _mm256_permutevar8x32_epi32((__m256i)a, from));
  _mm256_storeu_si256((__m256i*)b_out, _mm256_permutevar8x32_epi32((__m256i)b, from));
#else
  int at = 0;
  for (int i = 0; i < W; i++)
    if (bits >> i & 1) a_out[at] = a[i], b_out[at++] = b[i];
#endif
  return __builtin_popcount(bits);
}

}  // namespace lazyscope
