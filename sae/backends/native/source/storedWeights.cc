// Weights in the format of their file, widened a few rows at a time where they are used: half precision, bfloat16 and GGUF's
// quantised blocks. A product reads B in its own bytes, so that a model takes the memory of its file.
//
// Widening is to the bit what sae/formats/gguf/dequantize.ts does, which says where the layouts are from: every product and
// every sum is rounded, so nothing here may be contracted to a fused multiply-add.
#include <cstring>

#include "gemm.h"
#include "lazyscope.h"

#if defined(__F16C__)
#include <immintrin.h>
#endif

#if defined(__clang__)
#pragma clang fp contract(off)
#define LAZYSCOPE_ROUNDED
#else
#define LAZYSCOPE_ROUNDED __attribute__((optimize("fp-contract=off")))
#endif

namespace lazyscope {
namespace {

// In the order of storedFormats in sae/ops/storedTensor.ts.
enum Format : int32_t { F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K };

struct Layout {
  int64_t values, bytes;
};
constexpr Layout layouts[] = {{1, 4},   {1, 2},   {1, 2},    {32, 18},   {32, 20},   {32, 22},  {32, 24},
                              {32, 34}, {256, 84}, {256, 110}, {256, 144}, {256, 176}, {256, 210}};

inline float half(const uint8_t* at) {
  uint16_t bits;
  std::memcpy(&bits, at, 2);
#if defined(__F16C__)
  return _cvtsh_ss(bits);
#else
  const uint32_t sign = uint32_t(bits & 0x8000) << 16, exponent = (bits >> 10) & 31, fraction = bits & 0x3ff;
  uint32_t word;
  if (exponent == 31) word = sign | 0x7f800000 | fraction << 13;
  else if (exponent != 0) word = sign | (exponent + 112) << 23 | fraction << 13;
  else {
    const float small = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -small : small;
  }
  float value;
  std::memcpy(&value, &word, 4);
  return value;
#endif
}

inline void widen_half(const uint8_t* from, int64_t count, float* to) {
  int64_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= count; i += 8)
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 2 * i))));
#endif
  for (; i < count; i++) to[i] = half(from + 2 * i);
}

inline void widen_bfloat(const uint8_t* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; i++) {
    uint16_t bits;
    std::memcpy(&bits, from + 2 * i, 2);
    const uint32_t word = uint32_t(bits) << 16;
    std::memcpy(to + i, &word, 4);
  }
}

template <bool MINIMUM>
LAZYSCOPE_ROUNDED void four_bits(const uint8_t* b, float* out) {
  const float d = half(b), m = MINIMUM ? half(b + 2) : 0;
  const uint8_t* q = b + (MINIMUM ? 4 : 2);
  for (int i = 0; i < 16; i++) {
    const int low = q[i] & 15, high = q[i] >> 4;
    out[i] = MINIMUM ? d * float(low) + m : d * float(low - 8);
    out[i + 16] = MINIMUM ? d * float(high) + m : d * float(high - 8);
  }
}

template <bool MINIMUM>
LAZYSCOPE_ROUNDED void five_bits(const uint8_t* b, float* out) {
  const float d = half(b), m = MINIMUM ? half(b + 2) : 0;
  const uint8_t* word = b + (MINIMUM ? 4 : 2);
  uint32_t fifth;
  std::memcpy(&fifth, word, 4);
  const uint8_t* q = word + 4;
  for (int i = 0; i < 16; i++) {
    const int low = (q[i] & 15) | int((fifth >> i) & 1) << 4, high = (q[i] >> 4) | int((fifth >> (i + 16)) & 1) << 4;
    out[i] = MINIMUM ? d * float(low) + m : d * float(low - 16);
    out[i + 16] = MINIMUM ? d * float(high) + m : d * float(high - 16);
  }
}

inline int group_scale(const uint8_t* s, int j) { return j < 4 ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] >> 6) << 4; }
inline int group_minimum(const uint8_t* s, int j) { return j < 4 ? s[j + 4] & 63 : (s[j + 4] >> 4) | (s[j] >> 6) << 4; }

LAZYSCOPE_ROUNDED void q8_0(const uint8_t* b, float* out) {
  const float d = half(b);
  for (int i = 0; i < 32; i++) out[i] = d * float(static_cast<int8_t>(b[2 + i]));
}

LAZYSCOPE_ROUNDED void q2_k(const uint8_t* b, float* out) {
  const float d = half(b + 80), minimum = half(b + 82);
  for (int group = 0; group < 16; group++, out += 16) {
    const float dl = d * float(b[group] & 15), ml = minimum * float(b[group] >> 4);
    const uint8_t* q = b + 16 + (group >> 3) * 32 + (group & 1) * 16;
    const int shift = ((group >> 1) & 3) * 2;
    for (int i = 0; i < 16; i++) out[i] = dl * float((q[i] >> shift) & 3) - ml;
  }
}

LAZYSCOPE_ROUNDED void q3_k(const uint8_t* b, float* out) {
  const float d = half(b + 108);
  for (int group = 0; group < 16; group++, out += 16) {
    const int low = group < 8 ? b[96 + group] & 15 : b[88 + group] >> 4;
    const int upper = (b[104 + (group & 3)] >> ((group >> 2) * 2)) & 3;
    const float dl = d * float((low | upper << 4) - 32);
    const uint8_t* high = b + (group & 1) * 16;
    const uint8_t* q = b + 32 + (group >> 3) * 32 + (group & 1) * 16;
    const int shift = ((group >> 1) & 3) * 2, bit = group >> 1;
    for (int i = 0; i < 16; i++) out[i] = dl * float(((q[i] >> shift) & 3) - ((high[i] >> bit) & 1 ? 0 : 4));
  }
}

template <bool FIVE>
LAZYSCOPE_ROUNDED void q4_or_5_k(const uint8_t* b, float* out) {
  const float d = half(b), minimum = half(b + 2);
  const uint8_t* high = b + 16;
  for (int group = 0; group < 8; group++, out += 32) {
    const float dl = d * float(group_scale(b + 4, group)), ml = minimum * float(group_minimum(b + 4, group));
    const uint8_t* q = b + (FIVE ? 48 : 16) + (group >> 1) * 32;
    const int shift = (group & 1) * 4;
    for (int i = 0; i < 32; i++) {
      const int value = ((q[i] >> shift) & 15) | (FIVE ? ((high[i] >> group) & 1) << 4 : 0);
      out[i] = dl * float(value) - ml;
    }
  }
}

LAZYSCOPE_ROUNDED void q6_k(const uint8_t* b, float* out) {
  const float d = half(b + 208);
  for (int group = 0; group < 16; group++, out += 16) {
    const float dl = d * float(static_cast<int8_t>(b[192 + group]));
    const int quarter = (group >> 1) & 3, lane = (group & 1) * 16;
    const uint8_t* low = b + (group >> 3) * 64 + (quarter & 1) * 32 + lane;
    const uint8_t* high = b + 128 + (group >> 3) * 32 + lane;
    for (int i = 0; i < 16; i++) {
      const int value = ((low[i] >> ((quarter >> 1) * 4)) & 15) | ((high[i] >> (quarter * 2)) & 3) << 4;
      out[i] = dl * float(value - 32);
    }
  }
}

// `count` values, whole blocks.
void widen(int32_t format, const uint8_t* from, int64_t count, float* to) {
  const Layout layout = layouts[format];
  auto blocks = [&](auto one) {
    for (int64_t i = 0; i < count; i += layout.values, from += layout.bytes) one(from, to + i);
  };
  switch (format) {
    case F32: std::memcpy(to, from, count * 4); break;
    case F16: widen_half(from, count, to); break;
    case BF16: widen_bfloat(from, count, to); break;
    case Q4_0: blocks(four_bits<false>); break;
    case Q4_1: blocks(four_bits<true>); break;
    case Q5_0: blocks(five_bits<false>); break;
    case Q5_1: blocks(five_bits<true>); break;
    case Q8_0: blocks(q8_0); break;
    case Q2_K: blocks(q2_k); break;
    case Q3_K: blocks(q3_k); break;
    case Q4_K: blocks(q4_or_5_k<false>); break;
    case Q5_K: blocks(q4_or_5_k<true>); break;
    case Q6_K: blocks(q6_k); break;
    default: break;
  }
}

inline int64_t row_bytes(int32_t format, int64_t width) { return width / layouts[format].values * layouts[format].bytes; }

void widen_rows(int32_t format, const uint8_t* from, int64_t rows, int64_t width, float* to) {
  const int64_t bytes = row_bytes(format, width);
  parallel_for(0, rows, std::max<int64_t>(1, 16384 / std::max<int64_t>(width, 1)), [&](int64_t first, int64_t last) {
    widen(format, from + first * bytes, (last - first) * width, to + first * width);
  });
}

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

void lazyscope_widen(int32_t format, const uint8_t* x, int64_t rows, int64_t width, float* out) {
  widen_rows(format, x, rows, width, out);
}

int64_t lazyscope_stored_gather(int32_t format, const uint8_t* x, const int32_t* index, float* out, int64_t rows,
                                int64_t count, int64_t width) {
  for (int64_t i = 0; i < count; i++)
    if (index[i] < 0 || index[i] >= rows) return i;
  const int64_t bytes = row_bytes(format, width);
  parallel_for(0, count, std::max<int64_t>(1, 16384 / std::max<int64_t>(width, 1)), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) widen(format, x + index[i] * bytes, width, out + i * width);
  });
  return -1;
}

// Widened rows stay within 8 MB, to be read again from the last-level cache.
void lazyscope_stored_product(const LazyscopeStoredProduct* arguments) {
  const auto& in = *arguments;
  const int64_t m = in.m, n = in.n, k = in.k;
  const int64_t chunk = std::max<int64_t>(64, (2 << 20) / std::max<int64_t>(k, 1));
  float* rows = scratch(Scratch::widened, std::min(chunk, n) * k);
  const int64_t bytes = row_bytes(in.format, k);
  for (int64_t from = 0; from < n; from += chunk) {
    const int64_t count = std::min(chunk, n - from);
    widen_rows(in.format, in.b + from * bytes, count, k, rows);
    product(m, count, k, {in.a, k, false}, {rows, k, true},
            {in.c + from, n, 1, 0, in.bias ? in.bias + from : nullptr, in.relu != 0});
  }
}
}
