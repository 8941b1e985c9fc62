// Activation functions of MLPs and their slopes, one pass over memory each. The numbers of the functions are
// those of ../kernels/activationFunctions.ts; the formulas are in sae/ops/fusedActivationFunction.ts.
#include "functions.h"
#include "lazyscope.h"
#include "pool.h"

namespace lazyscope {
namespace {

constexpr int64_t grain = 1 << 14;

struct Relu {
  static vec value(vec x) { return select(x <= vec{}, vec{}, x); }
  static vec slope(vec x) { return select(x > vec{}, vec{} + 1.0f, vec{}); }
};

struct Gelu {
  static vec below(vec x) { return 0.5f + 0.5f * erf(x * 0.707106781186547524f); }
  static vec value(vec x) { return x * below(x); }
  static vec slope(vec x) { return below(x) + x * 0.398942280401432678f * exp(x * x * -0.5f); }
};

struct GeluTanh {
  static constexpr float root = 0.797884560802865356f, cubic = 0.044715f;
  static vec inner(vec x) { return tanh(x * root * (1.0f + cubic * x * x)); }
  static vec value(vec x) { return 0.5f * x * (1.0f + inner(x)); }
  static vec slope(vec x) {
    const vec t = inner(x);
    return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * root * (1.0f + 3.0f * cubic * x * x);
  }
};

struct Silu {
  static vec value(vec x) { return x * sigmoid(x); }
  static vec slope(vec x) {
    const vec s = sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
  }
};

template <class F>
void forward(const float* x, float* y, int64_t count) {
  parallel_for(0, count, grain, [=](int64_t first, int64_t last) {
    int64_t i = first;
    for (; i + W <= last; i += W) store(y + i, F::value(load(x + i)));
    if (i < last) store_part(y + i, F::value(load_part(x + i, last - i)), last - i);
  });
}

template <class F>
void backward(const float* x, const float* dy, float* dx, int64_t count) {
  parallel_for(0, count, grain, [=](int64_t first, int64_t last) {
    int64_t i = first;
    for (; i + W <= last; i += W) store(dx + i, load(dy + i) * F::slope(load(x + i)));
    if (i < last) {
      const int64_t rest = last - i;
      store_part(dx + i, load_part(dy + i, rest) * F::slope(load_part(x + i, rest)), rest);
    }
  });
}

enum Activation : int32_t { RELU, GELU, GELU_TANH, SILU };

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

void lazyscope_activation(int32_t function, const float* x, float* y, int64_t count) {
  switch (function) {
    case RELU: return forward<Relu>(x, y, count);
    case GELU: return forward<Gelu>(x, y, count);
    case GELU_TANH: return forward<GeluTanh>(x, y, count);
    case SILU: return forward<Silu>(x, y, count);
  }
}

void lazyscope_activation_grad(int32_t function, const float* x, const float* dy, float* dx, int64_t count) {
  switch (function) {
    case RELU: return backward<Relu>(x, dy, dx, count);
    case GELU: return backward<Gelu>(x, dy, dx, count);
    case GELU_TANH: return backward<GeluTanh>(x, dy, dx, count);
    case SILU: return backward<Silu>(x, dy, dx, count);
  }
}
}
