// Element-wise functions of one and two tensors, selection and conversion. The numbers of the operations
// are those of ../kernels/operations.ts.
#include <algorithm>
#include <cmath>

#include "functions.h"
#include "pool.h"

namespace lazyscope {
namespace {

constexpr int64_t grain = 1 << 15;

template <class F>
void map(const float* x, float* y, int64_t count, F f) {
  parallel_for(0, count, grain, [&](int64_t first, int64_t last) {
    int64_t i = first;
    for (; i + W <= last; i += W) store(y + i, f(load(x + i)));
    if (i < last) store_part(y + i, f(load_part(x + i, last - i)), last - i);
  });
}

template <class F>
void map_scalar(const float* x, float* y, int64_t count, F f) {
  parallel_for(0, count, grain / 8, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) y[i] = f(x[i]);
  });
}

enum Unary : int32_t {
  EXP, LOG, NEG, SQRT, RSQRT, SQUARE, ABS, RELU, RELU6, SIGMOID, TANH, ERF, SOFTPLUS, SIN, COS, STEP, SIGN,
  RECIPROCAL, LEAKY_RELU, ELU, SELU, FLOOR, CEIL, LOG1P, EXPM1, SCALE,
};

void unary(int32_t op, const float* x, float* y, int64_t n, float parameter) {
  const vec zero{}, one = zero + 1.0f, nan = broadcast(std::numeric_limits<float>::quiet_NaN());
  const vec p = broadcast(parameter);
  switch (op) {
    case EXP: return map(x, y, n, [](vec v) { return exp(v); });
    case LOG: return map(x, y, n, [](vec v) { return log(v); });
    case NEG: return map(x, y, n, [](vec v) { return -v; });
    case SQRT: return map(x, y, n, [](vec v) { return sqrt(v); });
    case RSQRT: return map(x, y, n, [](vec v) { return 1.0f / sqrt(v); });
    case SQUARE: return map(x, y, n, [](vec v) { return v * v; });
    case ABS: return map(x, y, n, [](vec v) { return abs(v); });
    case RELU: return map(x, y, n, [=](vec v) { return select(v <= zero, zero, v); });
    case RELU6: return map(x, y, n, [=](vec v) { return select(v <= zero, zero, select(v >= 6.0f, zero + 6.0f, v)); });
    case SIGMOID: return map(x, y, n, [](vec v) { return sigmoid(v); });
    case TANH: return map(x, y, n, [](vec v) { return tanh(v); });
    case ERF: return map(x, y, n, [](vec v) { return erf(v); });
    case SOFTPLUS: return map(x, y, n, [](vec v) { return softplus(v); });
    case SIN: return map_scalar(x, y, n, [](float v) { return static_cast<float>(std::sin(static_cast<double>(v))); });
    case COS: return map_scalar(x, y, n, [](float v) { return static_cast<float>(std::cos(static_cast<double>(v))); });
    case STEP: return map(x, y, n, [=](vec v) { return select(v > zero, one, select(v == v, p, nan)); });
    case SIGN: return map(x, y, n, [=](vec v) { return select(v > zero, one, select(v < zero, -one, zero)); });
    case RECIPROCAL: return map(x, y, n, [](vec v) { return 1.0f / v; });
    case LEAKY_RELU: return map(x, y, n, [=](vec v) { return select(v < zero, v * p, v); });
    case ELU: return map_scalar(x, y, n, [](float v) { return v >= 0 ? v : std::expm1(v); });
    case SELU:
      return map_scalar(x, y, n, [](float v) {
        return v >= 0 ? 1.0507009873554804934193349852946f * v : 1.7580993408473768599402175208123f * std::expm1(v);
      });
    case FLOOR: return map_scalar(x, y, n, [](float v) { return std::floor(v); });
    case CEIL: return map_scalar(x, y, n, [](float v) { return std::ceil(v); });
    case LOG1P: return map_scalar(x, y, n, [](float v) { return std::log1p(v); });
    case EXPM1: return map_scalar(x, y, n, [](float v) { return std::expm1(v); });
    case SCALE: return map(x, y, n, [=](vec v) { return v * p; });
  }
}

// out[i] = f(a[i], b[i]) over a box of `rank` dimensions, innermost last, with strides 0 or contiguous in a
// and b; out is dense. Neighbouring dimensions that broadcast alike were merged by the caller.
template <class T, class R, class F>
void broadcast_map(const T* a, const T* b, R* out, int rank, const int32_t* dims, const int32_t* a_strides,
                   const int32_t* b_strides, F f) {
  const int64_t inner = dims[rank - 1];
  int64_t outer = 1;
  for (int d = 0; d + 1 < rank; d++) outer *= dims[d];
  const bool a_fixed = a_strides[rank - 1] == 0, b_fixed = b_strides[rank - 1] == 0;
  auto row = [&](const T* x, const T* y, R* z, int64_t from, int64_t to) {
    if (a_fixed) {
      const T v = *x;
      for (int64_t i = from; i < to; i++) z[i] = f(v, y[i]);
    } else if (b_fixed) {
      const T v = *y;
      for (int64_t i = from; i < to; i++) z[i] = f(x[i], v);
    } else {
      for (int64_t i = from; i < to; i++) z[i] = f(x[i], y[i]);
    }
  };
  if (outer == 1) {
    parallel_for(0, inner, grain, [&](int64_t first, int64_t last) { row(a, b, out, first, last); });
    return;
  }
  parallel_for(0, outer, std::max<int64_t>(1, grain / inner), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; r++) {
      int64_t rest = r, x = 0, y = 0;
      for (int d = rank - 2; d >= 0; d--) {
        const int64_t i = rest % dims[d];
        rest /= dims[d];
        x += i * a_strides[d];
        y += i * b_strides[d];
      }
      row(a + x, b + y, out + r * inner, 0, inner);
    }
  });
}

enum Binary : int32_t {
  ADD, SUB, MUL, DIV, MAXIMUM, MINIMUM, POW, SQUARED_DIFFERENCE,
  GREATER, GREATER_EQUAL, LESS, LESS_EQUAL, EQUAL, NOT_EQUAL, LOGICAL_AND, LOGICAL_OR,
};

struct Box {
  int rank;
  const int32_t *dims, *a, *b;
};

// JavaScript's Math.pow, where it differs from C's.
inline float power(float x, float y) {
  if (y == 2.0f) return x * x;
  if (y == 1.0f) return x;
  if (y == 3.0f) return static_cast<float>(static_cast<double>(x) * x * x);
  if (y != y || (std::fabs(x) == 1.0f && std::isinf(y))) return std::numeric_limits<float>::quiet_NaN();
  return static_cast<float>(std::pow(static_cast<double>(x), static_cast<double>(y)));
}

void arithmetic(int32_t op, const float* a, const float* b, float* out, const Box& s) {
  auto go = [&](auto f) { broadcast_map(a, b, out, s.rank, s.dims, s.a, s.b, f); };
  switch (op) {
    case ADD: return go([](float x, float y) { return x + y; });
    case SUB: return go([](float x, float y) { return x - y; });
    case MUL: return go([](float x, float y) { return x * y; });
    case DIV: return go([](float x, float y) { return x / y; });
    case MAXIMUM: return go([](float x, float y) { return x > y || x != x ? x : y; });
    case MINIMUM: return go([](float x, float y) { return x < y || x != x ? x : y; });
    case POW: return go([](float x, float y) { return power(x, y); });
    case SQUARED_DIFFERENCE: return go([](float x, float y) { return (x - y) * (x - y); });
  }
}

// int32 wraps around, as it does in a typed array.
void arithmetic(int32_t op, const int32_t* a, const int32_t* b, int32_t* out, const Box& s) {
  auto go = [&](auto f) { broadcast_map(a, b, out, s.rank, s.dims, s.a, s.b, f); };
  auto wrap = [](uint32_t x) { return static_cast<int32_t>(x); };
  switch (op) {
    case ADD: return go([=](uint32_t x, uint32_t y) { return wrap(x + y); });
    case SUB: return go([=](uint32_t x, uint32_t y) { return wrap(x - y); });
    case MUL: return go([=](uint32_t x, uint32_t y) { return wrap(x * y); });
    case MAXIMUM: return go([](int32_t x, int32_t y) { return x > y ? x : y; });
    case MINIMUM: return go([](int32_t x, int32_t y) { return x < y ? x : y; });
    case SQUARED_DIFFERENCE: return go([=](uint32_t x, uint32_t y) { return wrap((x - y) * (x - y)); });
  }
}

template <class T>
void comparison(int32_t op, const T* a, const T* b, uint8_t* out, const Box& s) {
  auto go = [&](auto f) { broadcast_map(a, b, out, s.rank, s.dims, s.a, s.b, f); };
  switch (op) {
    case GREATER: return go([](T x, T y) { return uint8_t(x > y); });
    case GREATER_EQUAL: return go([](T x, T y) { return uint8_t(x >= y); });
    case LESS: return go([](T x, T y) { return uint8_t(x < y); });
    case LESS_EQUAL: return go([](T x, T y) { return uint8_t(x <= y); });
    case EQUAL: return go([](T x, T y) { return uint8_t(x == y); });
    case NOT_EQUAL: return go([](T x, T y) { return uint8_t(x != y); });
    case LOGICAL_AND: return go([](T x, T y) { return uint8_t((x != 0) & (y != 0)); });
    case LOGICAL_OR: return go([](T x, T y) { return uint8_t((x != 0) | (y != 0)); });
  }
}

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

void lazyscope_unary(int32_t op, const float* x, float* y, int64_t count, float parameter) {
  unary(op, x, y, count, parameter);
}

// `shape` holds dims, strides of a, strides of b: rank numbers each. type: 0 float32, 1 int32, 2 bool.
void lazyscope_binary(int32_t op, int32_t type, const void* a, const void* b, void* out, int32_t rank,
                      const int32_t* shape) {
  const Box s{rank, shape, shape + rank, shape + 2 * rank};
  if (op < GREATER) {
    if (type == 0) arithmetic(op, static_cast<const float*>(a), static_cast<const float*>(b), static_cast<float*>(out), s);
    else arithmetic(op, static_cast<const int32_t*>(a), static_cast<const int32_t*>(b), static_cast<int32_t*>(out), s);
    return;
  }
  uint8_t* flags = static_cast<uint8_t*>(out);
  if (type == 0) comparison(op, static_cast<const float*>(a), static_cast<const float*>(b), flags, s);
  else if (type == 1) comparison(op, static_cast<const int32_t*>(a), static_cast<const int32_t*>(b), flags, s);
  else comparison(op, static_cast<const uint8_t*>(a), static_cast<const uint8_t*>(b), flags, s);
}

// out += a.
void lazyscope_accumulate(const float* a, float* out, int64_t count) {
  parallel_for(0, count, grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) out[i] += a[i];
  });
}

// out[i] = condition[i] ? yes[i] : no[i], for 4-byte elements.
void lazyscope_select(const uint8_t* condition, const int32_t* yes, const int32_t* no, int32_t* out, int64_t count) {
  parallel_for(0, count, grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) out[i] = condition[i] ? yes[i] : no[i];
  });
}

// from, to: 0 float32, 1 int32, 2 bool. float32 → int32 is JavaScript's ToInt32.
void lazyscope_cast(int32_t from, int32_t to, const void* x, void* y, int64_t count) {
  auto go = [&](auto* in, auto* out, auto f) {
    parallel_for(0, count, grain, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; i++) out[i] = f(in[i]);
    });
  };
  const float* f = static_cast<const float*>(x);
  const int32_t* n = static_cast<const int32_t*>(x);
  const uint8_t* b = static_cast<const uint8_t*>(x);
  float* to_f = static_cast<float*>(y);
  int32_t* to_n = static_cast<int32_t*>(y);
  uint8_t* to_b = static_cast<uint8_t*>(y);
  if (from == 0 && to == 1)
    go(f, to_n, [](float v) {
      if (std::fabs(v) < 2147483648.0f) return static_cast<int32_t>(v);
      if (!std::isfinite(v)) return 0;
      const double r = std::fmod(std::trunc(static_cast<double>(v)), 4294967296.0);
      return static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(r)));
    });
  else if (from == 0 && to == 2) go(f, to_b, [](float v) { return uint8_t(v != 0); });
  else if (from == 1 && to == 0) go(n, to_f, [](int32_t v) { return static_cast<float>(v); });
  else if (from == 1 && to == 2) go(n, to_b, [](int32_t v) { return uint8_t(v != 0); });
  else if (from == 2 && to == 0) go(b, to_f, [](uint8_t v) { return static_cast<float>(v); });
  else if (from == 2 && to == 1) go(b, to_n, [](uint8_t v) { return static_cast<int32_t>(v); });
}
}
