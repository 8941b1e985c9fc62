// Vector versions of the functions that the standard library has only for one number at a time. Errors are
// below 3 units in the last place unless said otherwise; NaN, infinities, zeros and subnormal results are
// what the scalar functions give.
#pragma once

#include <cmath>
#include <limits>

#include "simd.h"

namespace lazyscope {

inline vec select(ivec mask, vec yes, vec no) { return (vec)((mask & (ivec)yes) | (~mask & (ivec)no)); }
inline vec abs(vec x) { return (vec)((ivec)x & 0x7fffffff); }
inline vec copy_sign(vec magnitude, vec sign) {
  return (vec)(((ivec)magnitude & 0x7fffffff) | ((ivec)sign & int32_t(0x80000000)));
}
inline vec to_float(ivec x) { return __builtin_convertvector(x, vec); }
inline ivec to_int(vec x) { return __builtin_convertvector(x, ivec); }

// 2^n for -126 <= n <= 127.
inline vec power_of_two(ivec n) { return (vec)((n + 127) << 23); }

// Round to nearest for |x| < 2^22: adding 1.5 · 2^23 leaves no fraction bits.
inline vec round_small(vec x) {
  const vec magic = broadcast(12582912.0f);
  vec shifted = x + magic;
#if defined(__GNUC__)
  asm("" : "+m"(shifted));  // the two additions must not be folded away
#endif
  return shifted - magic;
}

// e^x: x = n ln 2 + r, |r| <= ln 2 / 2; a polynomial for e^r (Cephes expf), then 2^n in two factors so that
// results below 2^-126 come out right.
inline vec exp(vec x) {
  const vec clamped = x > 89.0f ? broadcast(89.0f) : x < -104.0f ? broadcast(-104.0f) : x;
  const vec n = round_small(clamped * 1.44269504088896341f);
  vec r = clamped - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  vec p = broadcast(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const ivec whole = to_int(n), half = whole >> 1;
  const vec y = p * power_of_two(half) * power_of_two(whole - half);
  return select(x == x, y, x);
}

// ln x (Cephes logf): x = m 2^e with sqrt(1/2) <= m < sqrt 2.
inline vec log(vec x) {
  const ivec tiny = x < 1.17549435e-38f;
  const vec scaled = select(tiny, x * 8388608.0f, x);
  const ivec bits = (ivec)scaled;
  ivec e = ((bits >> 23) & 0xff) - 126 - (tiny & 23);
  vec m = (vec)((bits & 0x007fffff) | 0x3f000000);
  const ivec low = m < 0.707106781186547524f;
  e += low;  // a true lane is -1
  m = select(low, m + m, m) - 1.0f;
  const vec z = m * m;
  vec p = broadcast(7.0376836292e-2f);
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  vec y = m * z * p;
  const vec exponent = to_float(e);
  y = y + exponent * -2.12194440e-4f;
  y = y - 0.5f * z;
  y = m + y + exponent * 0.693359375f;
  const vec infinity = broadcast(std::numeric_limits<float>::infinity());
  y = select(x == infinity, infinity, y);
  y = select(x == 0.0f, -infinity, y);
  return select(x >= 0.0f, y, broadcast(std::numeric_limits<float>::quiet_NaN()));
}

inline vec sigmoid(vec x) { return 1.0f / (1.0f + exp(-x)); }

// For small |x| a polynomial (Cephes tanhf), else 1 − 2/(e^2|x| + 1).
inline vec tanh(vec x) {
  const vec a = abs(x), z = x * x;
  vec p = broadcast(-5.70498872745e-3f);
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const vec small = p * z * x + x;
  const vec large = copy_sign(1.0f - 2.0f / (exp(a + a) + 1.0f), x);
  return select(a < 0.625f, small, select(x == x, large, x));
}

// Abramowitz & Stegun 7.1.26's form is too coarse for f32; this is Numerical Recipes' erfc (Chebyshev fit,
// relative error 1.2e-7), and the Maclaurin series near 0 where 1 − erfc would cancel.
inline vec erf(vec x) {
  const vec a = abs(x), z2 = x * x;
  const vec t = 1.0f / (1.0f + 0.5f * a);
  vec p = broadcast(0.17087277f);
  p = p * t - 0.82215223f;
  p = p * t + 1.48851587f;
  p = p * t - 1.13520398f;
  p = p * t + 0.27886807f;
  p = p * t - 0.18628806f;
  p = p * t + 0.09678418f;
  p = p * t + 0.37409196f;
  p = p * t + 1.00002368f;
  p = p * t - 1.26551223f;
  const vec large = copy_sign(1.0f - t * exp(p - z2), x);
  vec s = broadcast(-7.5757575e-4f);  // −1/(11·5!)
  s = s * z2 + 4.62962963e-3f;        // 1/(9·4!)
  s = s * z2 - 2.38095238e-2f;        // −1/(7·3!)
  s = s * z2 + 0.1f;                  // 1/(5·2!)
  s = s * z2 - 0.333333333f;
  s = s * z2 + 1.0f;
  const vec small = s * x * 1.12837916709551f;
  return select(a < 0.5f, small, select(x == x, large, x));
}

// ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|); ln(1 + u) by Kahan's correction, exact also where u is tiny.
inline vec softplus(vec x) {
  const vec u = exp(-abs(x)), w = 1.0f + u;
  const vec tail = select(w == 1.0f, u, log(w) * u / (w - 1.0f));
  const vec y = select(x > 0.0f, x, vec{}) + tail;
  return select(x == x, y, x);
}

inline vec sqrt(vec x) {
  vec y;
  for (int i = 0; i < W; i++) y[i] = std::sqrt(x[i]);
  return y;
}

// The last, partial vector of a row: the missing lanes are 0.
inline vec load_part(const float* p, int64_t count) {
  vec x{};
  std::memcpy(&x, p, count * sizeof(float));
  return x;
}
inline void store_part(float* p, vec x, int64_t count) { std::memcpy(p, &x, count * sizeof(float)); }

}  // namespace lazyscope
