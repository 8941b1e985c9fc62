// Element-wise functions of one and two tensors, selection and conversion. The numbers of the operations
// are those of ../kernels/operations.ts.
#include <algorithm>
#include <cmath>

#include "functions.h"
#include "lazyscope.h"
#include "pool.h"

namespace lazyscope {
namespace {

constexpr int64_t grain = 1 << 15;

// Each operation is one small function over a range; what surrounds them is compiled once, not once for each.
using Range = void (*)(const float* x, float* y, int64_t count, float parameter);

void map(const float* x, float* y, int64_t count, float parameter, int64_t piece, Range range) {
  parallel_for(0, count, piece, [=](int64_t first, int64_t last) { range(x + first, y + first, last - first, parameter); });
}

template <class F>
void vector_range(const float* x, float* y, int64_t count, float parameter) {
  const F f{};
  const vec p = broadcast(parameter);
  int64_t i = 0;
  for (; i + W <= count; i += W) store(y + i, f(load(x + i), p));
  if (i < count) store_part(y + i, f(load_part(x + i, count - i), p), count - i);
}

template <class F>
void scalar_range(const float* x, float* y, int64_t count, float) {
  const F f{};
  for (int64_t i = 0; i < count; i++) y[i] = f(x[i]);
}

enum Unary : int32_t {
  EXP, LOG, NEG, SQRT, RSQRT, SQUARE, ABS, RELU, RELU6, SIGMOID, TANH, ERF, SOFTPLUS, SIN, COS, STEP, SIGN,
  RECIPROCAL, LEAKY_RELU, ELU, SELU, FLOOR, CEIL, LOG1P, EXPM1, SCALE,
};

// name(v, p): the operation on a vector v with the operation's parameter p.
#define VECTOR(NAME, ...) \
  struct NAME { vec operator()(vec v, vec p) const { (void)p; return __VA_ARGS__; } }
#define SCALAR(NAME, ...) \
  struct NAME { float operator()(float v) const { return static_cast<float>(__VA_ARGS__); } }

VECTOR(Exp, exp(v));
VECTOR(Log, log(v));
VECTOR(Neg, -v);
VECTOR(Sqrt, sqrt(v));
VECTOR(Rsqrt, 1.0f / sqrt(v));
VECTOR(Square, v * v);
VECTOR(Abs, abs(v));
VECTOR(Relu, select(v <= vec{}, vec{}, v));
VECTOR(Relu6, select(v <= vec{}, vec{}, select(v >= 6.0f, vec{} + 6.0f, v)));
VECTOR(Sigmoid, sigmoid(v));
VECTOR(Tanh, tanh(v));
VECTOR(Erf, erf(v));
VECTOR(Softplus, softplus(v));
VECTOR(Step, select(v > vec{}, vec{} + 1.0f, select(v == v, p, v)));
VECTOR(Sign, select(v > vec{}, vec{} + 1.0f, select(v < vec{}, vec{} - 1.0f, vec{})));
VECTOR(Reciprocal, 1.0f / v);
VECTOR(LeakyRelu, select(v < vec{}, v * p, v));
VECTOR(Scale, v * p);
SCALAR(Sin, std::sin(static_cast<double>(v)));
SCALAR(Cos, std::cos(static_cast<double>(v)));
SCALAR(Elu, v >= 0 ? v : std::expm1(v));
SCALAR(Selu, v >= 0 ? 1.0507009873554804934f * v : 1.7580993408473768599f * std::expm1(v));
SCALAR(Floor, std::floor(v));
SCALAR(Ceil, std::ceil(v));
SCALAR(Log1p, std::log1p(v));
SCALAR(Expm1, std::expm1(v));

void unary(int32_t op, const float* x, float* y, int64_t n, float parameter) {
  auto fast = [=](Range range) { map(x, y, n, parameter, grain, range); };
  auto slow = [=](Range range) { map(x, y, n, parameter, grain / 8, range); };
  switch (op) {
    case EXP: return fast(vector_range<Exp>);
    case LOG: return fast(vector_range<Log>);
    case NEG: return fast(vector_range<Neg>);
    case SQRT: return fast(vector_range<Sqrt>);
    case RSQRT: return fast(vector_range<Rsqrt>);
    case SQUARE: return fast(vector_range<Square>);
    case ABS: return fast(vector_range<Abs>);
    case RELU: return fast(vector_range<Relu>);
    case RELU6: return fast(vector_range<Relu6>);
    case SIGMOID: return fast(vector_range<Sigmoid>);
    case TANH: return fast(vector_range<Tanh>);
    case ERF: return fast(vector_range<Erf>);
    case SOFTPLUS: return fast(vector_range<Softplus>);
    case SIN: return slow(scalar_range<Sin>);
    case COS: return slow(scalar_range<Cos>);
    case STEP: return fast(vector_range<Step>);
    case SIGN: return fast(vector_range<Sign>);
    case RECIPROCAL: return fast(vector_range<Reciprocal>);
    case LEAKY_RELU: return fast(vector_range<LeakyRelu>);
    case ELU: return slow(scalar_range<Elu>);
    case SELU: return slow(scalar_range<Selu>);
    case FLOOR: return slow(scalar_range<Floor>);
    case CEIL: return slow(scalar_range<Ceil>);
    case LOG1P: return slow(scalar_range<Log1p>);
    case EXPM1: return slow(scalar_range<Expm1>);
    case SCALE: return fast(vector_range<Scale>);
  }
}

// How the operands of a row move: both along it, or one of them fixed.
enum Moving { BOTH, A_FIXED, B_FIXED };
using Row = void (*)(const void* a, const void* b, void* out, int64_t count, Moving moving);

template <class T, class R, class F>
void row(const void* a, const void* b, void* out, int64_t count, Moving moving) {
  const F f{};
  const T *x = static_cast<const T*>(a), *y = static_cast<const T*>(b);
  R* z = static_cast<R*>(out);
  if (moving == A_FIXED) {
    const T v = *x;
    for (int64_t i = 0; i < count; i++) z[i] = f(v, y[i]);
  } else if (moving == B_FIXED) {
    const T v = *y;
    for (int64_t i = 0; i < count; i++) z[i] = f(x[i], v);
  } else {
    for (int64_t i = 0; i < count; i++) z[i] = f(x[i], y[i]);
  }
}

struct Box {
  int rank;
  const int32_t *dims, *a_strides, *b_strides;
};

// out = f(a, b) over a box, innermost dimension last, with strides 0 or contiguous in a and b; out is dense.
// Neighbouring dimensions that broadcast alike were merged by the caller. Sizes are in bytes.
void over_box(const void* a, const void* b, void* out, const Box& s, int64_t in_size, int64_t out_size, Row f) {
  const char *left = static_cast<const char*>(a), *right = static_cast<const char*>(b);
  char* result = static_cast<char*>(out);
  const int64_t inner = s.dims[s.rank - 1];
  int64_t outer = 1;
  for (int d = 0; d + 1 < s.rank; d++) outer *= s.dims[d];
  const Moving moving = s.a_strides[s.rank - 1] == 0 ? A_FIXED : s.b_strides[s.rank - 1] == 0 ? B_FIXED : BOTH;
  if (outer == 1) {
    const int64_t a_step = moving == A_FIXED ? 0 : in_size, b_step = moving == B_FIXED ? 0 : in_size;
    parallel_for(0, inner, grain, [=](int64_t first, int64_t last) {
      f(left + first * a_step, right + first * b_step, result + first * out_size, last - first, moving);
    });
    return;
  }
  parallel_for(0, outer, std::max<int64_t>(1, grain / inner), [=](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; r++) {
      int64_t rest = r, x = 0, y = 0;
      for (int d = s.rank - 2; d >= 0; d--) {
        const int64_t i = rest % s.dims[d];
        rest /= s.dims[d];
        x += i * s.a_strides[d];
        y += i * s.b_strides[d];
      }
      f(left + x * in_size, right + y * in_size, result + r * inner * out_size, inner, moving);
    }
  });
}

enum Binary : int32_t {
  ADD, SUB, MUL, DIV, MAXIMUM, MINIMUM, POW, SQUARED_DIFFERENCE,
  GREATER, GREATER_EQUAL, LESS, LESS_EQUAL, EQUAL, NOT_EQUAL, LOGICAL_AND, LOGICAL_OR,
};

// JavaScript's Math.pow, where it differs from C's.
inline float power(float x, float y) {
  if (y == 2.0f) return x * x;
  if (y == 1.0f) return x;
  if (y == 3.0f) return static_cast<float>(static_cast<double>(x) * x * x);
  if (y != y || (std::fabs(x) == 1.0f && std::isinf(y))) return std::numeric_limits<float>::quiet_NaN();
  return static_cast<float>(std::pow(static_cast<double>(x), static_cast<double>(y)));
}

#define BINARY(NAME, ...) \
  struct NAME { template <class T> auto operator()(T x, T y) const { return __VA_ARGS__; } }

BINARY(Add, static_cast<T>(x + y));
BINARY(Sub, static_cast<T>(x - y));
BINARY(Mul, static_cast<T>(x * y));
BINARY(Div, x / y);
BINARY(Maximum, x > y || x != x ? x : y);
BINARY(Minimum, x < y || x != x ? x : y);
BINARY(Pow, power(x, y));
BINARY(SquaredDifference, static_cast<T>((x - y) * (x - y)));
BINARY(Greater, uint8_t(x > y));
BINARY(GreaterEqual, uint8_t(x >= y));
BINARY(Less, uint8_t(x < y));
BINARY(LessEqual, uint8_t(x <= y));
BINARY(Equal, uint8_t(x == y));
BINARY(NotEqual, uint8_t(x != y));
BINARY(And, uint8_t((x != 0) & (y != 0)));
BINARY(Or, uint8_t((x != 0) | (y != 0)));

Row float_arithmetic(int32_t op) {
  switch (op) {
    case ADD: return row<float, float, Add>;
    case SUB: return row<float, float, Sub>;
    case MUL: return row<float, float, Mul>;
    case DIV: return row<float, float, Div>;
    case MAXIMUM: return row<float, float, Maximum>;
    case MINIMUM: return row<float, float, Minimum>;
    case POW: return row<float, float, Pow>;
    default: return row<float, float, SquaredDifference>;
  }
}

// int32 wraps around, as it does in a typed array: sums and products are those of uint32.
Row int_arithmetic(int32_t op) {
  switch (op) {
    case ADD: return row<uint32_t, uint32_t, Add>;
    case SUB: return row<uint32_t, uint32_t, Sub>;
    case MUL: return row<uint32_t, uint32_t, Mul>;
    case MAXIMUM: return row<int32_t, int32_t, Maximum>;
    case MINIMUM: return row<int32_t, int32_t, Minimum>;
    default: return row<uint32_t, uint32_t, SquaredDifference>;
  }
}

template <class T>
Row comparison(int32_t op) {
  switch (op) {
    case GREATER: return row<T, uint8_t, Greater>;
    case GREATER_EQUAL: return row<T, uint8_t, GreaterEqual>;
    case LESS: return row<T, uint8_t, Less>;
    case LESS_EQUAL: return row<T, uint8_t, LessEqual>;
    case EQUAL: return row<T, uint8_t, Equal>;
    case NOT_EQUAL: return row<T, uint8_t, NotEqual>;
    case LOGICAL_AND: return row<T, uint8_t, And>;
    default: return row<T, uint8_t, Or>;
  }
}

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

void lazyscope_unary(int32_t op, const float* x, float* y, int64_t count, float parameter) {
  unary(op, x, y, count, parameter);
}

void lazyscope_binary(int32_t op, int32_t type, const void* a, const void* b, void* out, int32_t rank,
                      const int32_t* shape) {
  const Box s{rank, shape, shape + rank, shape + 2 * rank};
  if (op < GREATER) over_box(a, b, out, s, 4, 4, type == 0 ? float_arithmetic(op) : int_arithmetic(op));
  else if (type == 0) over_box(a, b, out, s, 4, 1, comparison<float>(op));
  else if (type == 1) over_box(a, b, out, s, 4, 1, comparison<int32_t>(op));
  else over_box(a, b, out, s, 1, 1, comparison<uint8_t>(op));
}

void lazyscope_accumulate(const float* a, float* out, int64_t count) {
  parallel_for(0, count, grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) out[i] += a[i];
  });
}

void lazyscope_select(const uint8_t* condition, const void* yes, const void* no, void* out, int64_t count) {
  const int32_t *a = static_cast<const int32_t*>(yes), *b = static_cast<const int32_t*>(no);
  int32_t* to = static_cast<int32_t*>(out);
  parallel_for(0, count, grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) to[i] = condition[i] ? a[i] : b[i];
  });
}

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
