// Functions of one and of two tensors, element by element, and everything like them. Which function it is comes as a number, whose
// order is that of the lists in ../kernels/elementwise.ts: these kernels wait for memory, so that one branch costs nothing, and one program
// serves for all functions. Special values are those of TF.js's CPU backend.
#include "prelude.cuh"

enum Unary {
  EXP, LOG, NEG, SQRT, RSQRT, SQUARE, ABS, RELU, RELU6, SIGMOID, TANH, ERF, SOFTPLUS, SIN, COS, STEP, SIGN, RECIPROCAL,
  LEAKY_RELU, ELU, SELU, FLOOR, CEIL, LOG1P, EXPM1, ROUND, TAN, ATAN, CLIP, SCALE,
};

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// Above and below these bounds the exponential, or 1 beside it, is lost to rounding.
__device__ inline float softplus(float x) {
  const float bound = -13.942385f;  // log(2⁻²³) + 2
  if (x > -bound) return x;
  return x < bound ? expf(x) : logf(1.0f + expf(x));
}

// p and q are the function's own parameters.
__device__ inline float unaryFunction(int function, float x, float p, float q) {
  switch (function) {
    case EXP: return expf(x);
    case LOG: return logf(x);
    case NEG: return -x;
    case SQRT: return sqrtf(x);
    case RSQRT: return 1.0f / sqrtf(x);
    case SQUARE: return x * x;
    case ABS: return fabsf(x);
    case RELU: return x <= 0.0f ? 0.0f : x;
    case RELU6: return x <= 0.0f ? 0.0f : x >= 6.0f ? 6.0f : x;
    case SIGMOID: return sigmoid(x);
    case TANH: return tanhf(x);
    case ERF: return erff(x);
    case SOFTPLUS: return softplus(x);
    case SIN: return sinf(x);
    case COS: return cosf(x);
    case STEP: return x > 0.0f ? 1.0f : x == x ? p : x;
    case SIGN: return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f;
    case RECIPROCAL: return 1.0f / x;
    case LEAKY_RELU: return x < 0.0f ? x * p : x;
    case ELU: return x >= 0.0f ? x : expm1f(x);
    case SELU: return x >= 0.0f ? 1.0507009873554804934f * x : 1.7580993408473768599f * expm1f(x);
    case FLOOR: return floorf(x);
    case CEIL: return ceilf(x);
    case LOG1P: return log1pf(x);
    case EXPM1: return expm1f(x);
    case ROUND: return rintf(x);
    case TAN: return tanf(x);
    case ATAN: return atanf(x);
    case CLIP: return x > q ? q : x < p ? p : x;
    default: return x * p;
  }
}

extern "C" __global__ void unary(int function, const float* x, float* y, long long count, float p, float q) {
  const long long fours = count / 4;
  for (long long i = globalThread(); i < fours; i += globalThreads()) {
    const float4 v = ((const float4*)x)[i];
    ((float4*)y)[i] = make_float4(unaryFunction(function, v.x, p, q), unaryFunction(function, v.y, p, q),
                                  unaryFunction(function, v.z, p, q), unaryFunction(function, v.w, p, q));
  }
  const long long rest = fours * 4 + globalThread();
  if (rest < count) y[rest] = unaryFunction(function, x[rest], p, q);
}

enum Test { IS_NAN, IS_FINITE, IS_INF };

extern "C" __global__ void test(int which, const float* x, unsigned char* y, long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) {
    const float v = x[i], size = fabsf(v);
    y[i] = which == IS_NAN ? v != v : which == IS_FINITE ? size < infinity() : size == infinity();
  }
}

extern "C" __global__ void logicalNot(const unsigned char* x, unsigned char* y, long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) y[i] = x[i] == 0;
}

enum Binary {
  ADD, SUB, MULTIPLY, DIVIDE, MAXIMUM, MINIMUM, POW, SQUARED_DIFFERENCE,
  GREATER, GREATER_EQUAL, LESS, LESS_EQUAL, EQUAL, NOT_EQUAL, AND, OR,
};

// JavaScript's power, where it differs from C's: NaN for 1 to the power of an infinity or of NaN.
__device__ inline float power(float x, float y) {
  if (y == 2.0f) return x * x;
  if (y == 1.0f) return x;
  if (y != y || (fabsf(x) == 1.0f && fabsf(y) == infinity())) return notANumber();
  return powf(x, y);
}

__device__ inline float arithmetic(int function, float x, float y) {
  switch (function) {
    case ADD: return x + y;
    case SUB: return x - y;
    case MULTIPLY: return x * y;
    case DIVIDE: return x / y;
    case MAXIMUM: return x > y || x != x ? x : y;
    case MINIMUM: return x < y || x != x ? x : y;
    case POW: return power(x, y);
    default: return (x - y) * (x - y);
  }
}

// Integers wrap around, as they do in a typed array.
__device__ inline int arithmetic(int function, int x, int y) {
  const unsigned a = (unsigned)x, b = (unsigned)y;
  switch (function) {
    case ADD: return (int)(a + b);
    case SUB: return (int)(a - b);
    case MULTIPLY: return (int)(a * b);
    case MAXIMUM: return x > y ? x : y;
    case MINIMUM: return x < y ? x : y;
    default: return (int)((a - b) * (a - b));
  }
}

template <class T>
__device__ inline unsigned char comparison(int function, T x, T y) {
  switch (function) {
    case GREATER: return x > y;
    case GREATER_EQUAL: return x >= y;
    case LESS: return x < y;
    case LESS_EQUAL: return x <= y;
    case EQUAL: return x == y;
    case NOT_EQUAL: return x != y;
    case AND: return x != (T)0 && y != (T)0;
    default: return x != (T)0 || y != (T)0;
  }
}

// Where element i of a dense box of sizes n0 (innermost) to n5 lies in an operand with these strides. Sizes past the rank are 1.
struct Place {
  int a, b;
};
__device__ inline Place place(unsigned i, int n0, int n1, int n2, int n3, int n4, int a0, int a1, int a2, int a3, int a4, int a5, int b0,
                              int b1, int b2, int b3, int b4, int b5) {
  const int sizes[5] = {n0, n1, n2, n3, n4};
  const int strideA[6] = {a0, a1, a2, a3, a4, a5}, strideB[6] = {b0, b1, b2, b3, b4, b5};
  Place p = {0, 0};
#pragma unroll
  for (int axis = 0; axis < 5; axis++) {
    const unsigned size = (unsigned)sizes[axis], quotient = i / size, at = i - quotient * size;
    p.a += (int)at * strideA[axis];
    p.b += (int)at * strideB[axis];
    i = quotient;
    if (i == 0) return p;
  }
  p.a += (int)i * strideA[5];
  p.b += (int)i * strideB[5];
  return p;
}

// Four neighbours of an operand: read together where it moves along the innermost axis, the same one where it does not.
__device__ inline float4 four(const float* from, int stride) {
  if (stride != 0) return *(const float4*)from;
  const float v = *from;
  return make_float4(v, v, v, v);
}

// y = f(a, b) over a dense box of `count` elements. With width 4 the innermost size and the strides are in groups of four
// elements, and the innermost stride is 0 or 4.
extern "C" __global__ void binaryFloat(int function, int width, const float* a, const float* b, float* y, unsigned count, int n0, int n1,
                                       int n2, int n3, int n4, int a0, int a1, int a2, int a3, int a4, int a5, int b0, int b1, int b2,
                                       int b3, int b4, int b5) {
  const unsigned groups = count / width;
  for (long long i = globalThread(); i < groups; i += globalThreads()) {
    const Place p = place((unsigned)i, n0, n1, n2, n3, n4, a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5);
    if (width == 4) {
      const float4 u = four(a + p.a, a0), v = four(b + p.b, b0);
      ((float4*)y)[i] = make_float4(arithmetic(function, u.x, v.x), arithmetic(function, u.y, v.y), arithmetic(function, u.z, v.z),
                                    arithmetic(function, u.w, v.w));
    } else {
      y[i] = arithmetic(function, a[p.a], b[p.b]);
    }
  }
}

extern "C" __global__ void binaryInt(int function, const int* a, const int* b, int* y, unsigned count, int n0, int n1, int n2, int n3, int n4,
                                     int a0, int a1, int a2, int a3, int a4, int a5, int b0, int b1, int b2, int b3, int b4, int b5) {
  for (long long i = globalThread(); i < count; i += globalThreads()) {
    const Place p = place((unsigned)i, n0, n1, n2, n3, n4, a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5);
    y[i] = arithmetic(function, a[p.a], b[p.b]);
  }
}

extern "C" __global__ void compareFloat(int function, const float* a, const float* b, unsigned char* y, unsigned count, int n0, int n1,
                                        int n2, int n3, int n4, int a0, int a1, int a2, int a3, int a4, int a5, int b0, int b1, int b2,
                                        int b3, int b4, int b5) {
  for (long long i = globalThread(); i < count; i += globalThreads()) {
    const Place p = place((unsigned)i, n0, n1, n2, n3, n4, a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5);
    y[i] = comparison(function, a[p.a], b[p.b]);
  }
}

extern "C" __global__ void compareInt(int function, const int* a, const int* b, unsigned char* y, unsigned count, int n0, int n1, int n2,
                                      int n3, int n4, int a0, int a1, int a2, int a3, int a4, int a5, int b0, int b1, int b2, int b3, int b4,
                                      int b5) {
  for (long long i = globalThread(); i < count; i += globalThreads()) {
    const Place p = place((unsigned)i, n0, n1, n2, n3, n4, a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5);
    y[i] = comparison(function, a[p.a], b[p.b]);
  }
}

extern "C" __global__ void compareBool(int function, const unsigned char* a, const unsigned char* b, unsigned char* y, unsigned count,
                                       int n0, int n1, int n2, int n3, int n4, int a0, int a1, int a2, int a3, int a4, int a5, int b0,
                                       int b1, int b2, int b3, int b4, int b5) {
  for (long long i = globalThread(); i < count; i += globalThreads()) {
    const Place p = place((unsigned)i, n0, n1, n2, n3, n4, a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5);
    y[i] = comparison(function, a[p.a], b[p.b]);
  }
}

// y += x
extern "C" __global__ void accumulate(const float* x, float* y, long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) y[i] += x[i];
}

extern "C" __global__ void select(const unsigned char* condition, const int* yes, const int* no, int* y, long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) y[i] = condition[i] == 1 ? yes[i] : no[i];
}
extern "C" __global__ void selectBool(const unsigned char* condition, const unsigned char* yes, const unsigned char* no, unsigned char* y,
                                      long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) y[i] = condition[i] == 1 ? yes[i] : no[i];
}

// As JavaScript converts to int32: modulo 2³²; 0 for NaN and the infinities.
__device__ inline int integerOf(float v) {
  if (fabsf(v) < 2147483648.0f) return (int)v;
  if (!(fabsf(v) < infinity())) return 0;
  const double wrapped = fmod((double)truncf(v), 4294967296.0);
  return (int)(unsigned)(long long)wrapped;
}
extern "C" __global__ void floatToInt(const float* x, int* y, long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) y[i] = integerOf(x[i]);
}
extern "C" __global__ void floatToBool(const float* x, unsigned char* y, long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) y[i] = x[i] != 0.0f;
}
extern "C" __global__ void intToFloat(const int* x, float* y, long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) y[i] = (float)x[i];
}
extern "C" __global__ void intToBool(const int* x, unsigned char* y, long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) y[i] = x[i] != 0;
}
extern "C" __global__ void boolToFloat(const unsigned char* x, float* y, long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) y[i] = x[i];
}
extern "C" __global__ void boolToInt(const unsigned char* x, int* y, long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) y[i] = x[i];
}

extern "C" __global__ void fillBytes(unsigned char* y, int value, long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) y[i] = (unsigned char)value;
}
