/** CUDA's mathematical functions, bit casts and integer intrinsics. Functions of the C library are declared, not included. */
#pragma once

#define LAZYSCOPE_UNARY(name)                                             \
  extern "C" double name(double) noexcept;                                \
  extern "C" float name##f(float) noexcept;                               \
  inline float name(float x) { return __builtin_##name##f(x); }
#define LAZYSCOPE_BINARY(name)                                            \
  extern "C" double name(double, double) noexcept;                        \
  extern "C" float name##f(float, float) noexcept;                        \
  inline float name(float x, float y) { return __builtin_##name##f(x, y); }
LAZYSCOPE_UNARY(exp)
LAZYSCOPE_UNARY(exp2)
LAZYSCOPE_UNARY(expm1)
LAZYSCOPE_UNARY(log)
LAZYSCOPE_UNARY(log2)
LAZYSCOPE_UNARY(log10)
LAZYSCOPE_UNARY(log1p)
LAZYSCOPE_UNARY(sqrt)
LAZYSCOPE_UNARY(cbrt)
LAZYSCOPE_UNARY(sin)
LAZYSCOPE_UNARY(cos)
LAZYSCOPE_UNARY(tan)
LAZYSCOPE_UNARY(asin)
LAZYSCOPE_UNARY(acos)
LAZYSCOPE_UNARY(atan)
LAZYSCOPE_UNARY(sinh)
LAZYSCOPE_UNARY(cosh)
LAZYSCOPE_UNARY(tanh)
LAZYSCOPE_UNARY(asinh)
LAZYSCOPE_UNARY(acosh)
LAZYSCOPE_UNARY(atanh)
LAZYSCOPE_UNARY(erf)
LAZYSCOPE_UNARY(erfc)
LAZYSCOPE_UNARY(lgamma)
LAZYSCOPE_UNARY(tgamma)
LAZYSCOPE_UNARY(fabs)
LAZYSCOPE_UNARY(floor)
LAZYSCOPE_UNARY(ceil)
LAZYSCOPE_UNARY(trunc)
LAZYSCOPE_UNARY(round)
LAZYSCOPE_UNARY(rint)
LAZYSCOPE_UNARY(nearbyint)
LAZYSCOPE_BINARY(pow)
LAZYSCOPE_BINARY(fmod)
LAZYSCOPE_BINARY(remainder)
LAZYSCOPE_BINARY(atan2)
LAZYSCOPE_BINARY(hypot)
LAZYSCOPE_BINARY(fmin)
LAZYSCOPE_BINARY(fmax)
LAZYSCOPE_BINARY(copysign)
LAZYSCOPE_BINARY(nextafter)
#undef LAZYSCOPE_UNARY
#undef LAZYSCOPE_BINARY
extern "C" {
float fmaf(float, float, float) noexcept;
double fma(double, double, double) noexcept;
float ldexpf(float, int) noexcept;
float frexpf(float, int*) noexcept;
void* memcpy(void*, const void*, __SIZE_TYPE__) noexcept;
void* memset(void*, int, __SIZE_TYPE__) noexcept;
int abs(int) noexcept;
long labs(long) noexcept;
long long llabs(long long) noexcept;
int printf(const char*, ...);
}
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float abs(float x) { return __builtin_fabsf(x); }
inline double abs(double x) { return __builtin_fabs(x); }
inline long long abs(long long x) { return __builtin_llabs(x); }
inline float rsqrtf(float x) { return 1.0f / __builtin_sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / __builtin_sqrt(x); }
inline float rcbrtf(float x) { return 1.0f / __builtin_cbrtf(x); }
inline float exp10f(float x) { return __builtin_powf(10.0f, x); }
inline float normcdff(float x) { return 0.5f * __builtin_erfcf(x * -0.70710678118654752f); }
inline void sincosf(float x, float* s, float* c) {
  *s = __builtin_sinf(x);
  *c = __builtin_cosf(x);
}
inline bool isnan(float x) { return __builtin_isnan(x); }
inline bool isnan(double x) { return __builtin_isnan(x); }
inline bool isinf(float x) { return __builtin_isinf(x); }
inline bool isinf(double x) { return __builtin_isinf(x); }
inline bool isfinite(float x) { return __builtin_isfinite(x); }
inline bool isfinite(double x) { return __builtin_isfinite(x); }
inline bool signbit(float x) { return __builtin_signbit(x); }

#define LAZYSCOPE_MIN_MAX(type)                                  \
  inline type min(type a, type b) { return b < a ? b : a; }      \
  inline type max(type a, type b) { return a < b ? b : a; }
LAZYSCOPE_MIN_MAX(int)
LAZYSCOPE_MIN_MAX(unsigned)
LAZYSCOPE_MIN_MAX(long)
LAZYSCOPE_MIN_MAX(unsigned long)
LAZYSCOPE_MIN_MAX(long long)
LAZYSCOPE_MIN_MAX(unsigned long long)
#undef LAZYSCOPE_MIN_MAX
// Of a NaN and a number CUDA gives the number.
inline float min(float a, float b) { return __builtin_fminf(a, b); }
inline float max(float a, float b) { return __builtin_fmaxf(a, b); }
inline double min(double a, double b) { return __builtin_fmin(a, b); }
inline double max(double a, double b) { return __builtin_fmax(a, b); }

namespace lazyscope {
template <class To, class From>
inline To bitCast(From from) {
  static_assert(sizeof(To) == sizeof(From), "a bit cast keeps the size");
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}
/** Keeps the compiler from fusing this result with the operation that takes it. */
inline float rounded(float x) {
  asm("" : "+m"(x));
  return x;
}
/** Conversions saturate on a GPU, and NaN becomes 0. */
template <class To>
inline To saturated(double x, To least, To most) {
  return x != x ? To(0) : x <= double(least) ? least : x >= double(most) ? most : To(x);
}
}  // namespace lazyscope

inline unsigned __float_as_uint(float x) { return lazyscope::bitCast<unsigned>(x); }
inline int __float_as_int(float x) { return lazyscope::bitCast<int>(x); }
inline float __uint_as_float(unsigned x) { return lazyscope::bitCast<float>(x); }
inline float __int_as_float(int x) { return lazyscope::bitCast<float>(x); }
inline long long __double_as_longlong(double x) { return lazyscope::bitCast<long long>(x); }
inline double __longlong_as_double(long long x) { return lazyscope::bitCast<double>(x); }

inline float __expf(float x) { return __builtin_expf(x); }
inline float __exp10f(float x) { return exp10f(x); }
inline float __logf(float x) { return __builtin_logf(x); }
inline float __log2f(float x) { return __builtin_log2f(x); }
inline float __log10f(float x) { return __builtin_log10f(x); }
inline float __powf(float x, float y) { return __builtin_powf(x, y); }
inline float __sinf(float x) { return __builtin_sinf(x); }
inline float __cosf(float x) { return __builtin_cosf(x); }
inline float __tanf(float x) { return __builtin_tanf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
inline float __fadd_rn(float a, float b) { return lazyscope::rounded(a + b); }
inline float __fsub_rn(float a, float b) { return lazyscope::rounded(a - b); }
inline float __fmul_rn(float a, float b) { return lazyscope::rounded(a * b); }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float __fsqrt_rn(float a) { return __builtin_sqrtf(a); }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __frsqrt_rn(float a) { return float(1.0 / __builtin_sqrt(double(a))); }

inline int __float2int_rn(float x) { return lazyscope::saturated<int>(__builtin_rint(double(x)), -0x7fffffff - 1, 0x7fffffff); }
inline int __float2int_rz(float x) { return lazyscope::saturated<int>(double(x), -0x7fffffff - 1, 0x7fffffff); }
inline int __float2int_rd(float x) { return lazyscope::saturated<int>(__builtin_floor(double(x)), -0x7fffffff - 1, 0x7fffffff); }
inline int __float2int_ru(float x) { return lazyscope::saturated<int>(__builtin_ceil(double(x)), -0x7fffffff - 1, 0x7fffffff); }
inline unsigned __float2uint_rn(float x) { return lazyscope::saturated<unsigned>(__builtin_rint(double(x)), 0u, ~0u); }
inline unsigned __float2uint_rz(float x) { return lazyscope::saturated<unsigned>(double(x), 0u, ~0u); }
inline float __int2float_rn(int x) { return float(x); }
inline float __uint2float_rn(unsigned x) { return float(x); }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(unsigned(x)); }
inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll((unsigned long long)x); }
inline unsigned __brev(unsigned x) {
  unsigned reversed = 0;
  for (int bit = 0; bit < 32; bit++) reversed |= (x >> bit & 1u) << (31 - bit);
  return reversed;
}
inline int __mulhi(int a, int b) { return int((long long)a * b >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((unsigned long long)a * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  __extension__ typedef unsigned __int128 Wide;
  return (unsigned long long)((Wide)a * b >> 64);
}
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  const unsigned long long both = (unsigned long long)y << 32 | x;
  unsigned result = 0;
  for (int byte = 0; byte < 4; byte++) {
    const unsigned choice = selector >> (4 * byte) & 0xf;
    unsigned value = unsigned(both >> (8 * (choice & 7)) & 0xff);
    if (choice & 8) value = value & 0x80 ? 0xff : 0;
    result |= value << (8 * byte);
  }
  return result;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return unsigned(((unsigned long long)high << 32 | low) << (shift & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return unsigned(((unsigned long long)high << 32 | low) >> (shift & 31));
}
inline int __dp4a(int a, int b, int sum) {
  for (int byte = 0; byte < 4; byte++) sum += (signed char)(a >> (8 * byte)) * (signed char)(b >> (8 * byte));
  return sum;
}
