// AdamW in place, and the sum of squares that gradient clipping needs.
#include <algorithm>
#include <cmath>

#include "lazyscope.h"
#include "pool.h"

using namespace lazyscope;

namespace {
constexpr int64_t grain = 1 << 14;
}

extern "C" {

// m ← β1 m + (1 − β1) g; v ← β2 v + (1 − β2) g²; p ← p − lr · (m/c1 / (sqrt(v/c2) + ε) + decay · p), where g is
// the gradient times gradient_scale and c1, c2 are the corrections.
void lazyscope_adamw(float* p, const float* gradient, float* m, float* v, int64_t count, const LazyscopeAdamW* settings) {
  const float lr = settings->rate, beta1 = settings->beta1, beta2 = settings->beta2, epsilon = settings->epsilon;
  const float decay = settings->decay, c1 = settings->correction1, c2 = settings->correction2;
  const float gradient_scale = settings->gradient_scale;
  const float step = lr / c1, root = 1.0f / std::sqrt(c2), keep = 1.0f - lr * decay;
  const float one1 = 1.0f - beta1, one2 = 1.0f - beta2;
  parallel_for(0, count, grain, [=](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) {
      const float g = gradient[i] * gradient_scale;
      m[i] = beta1 * m[i] + one1 * g;
      v[i] = beta2 * v[i] + one2 * g * g;
      p[i] = p[i] * keep - step * m[i] / (std::sqrt(v[i]) * root + epsilon);
    }
  });
}

double lazyscope_sum_of_squares(const float* x, int64_t count) {
  const int64_t pieces = (count + grain - 1) / grain;
  double* part = reinterpret_cast<double*>(scratch(Scratch::reduction, 2 * std::max<int64_t>(1, pieces)));
  parallel_for(0, pieces, 1, [=](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; p++) {
      double lanes[8] = {};
      const int64_t end = std::min(count, (p + 1) * grain);
      int64_t i = p * grain;
      for (; i + 8 <= end; i += 8)
        for (int j = 0; j < 8; j++) lanes[j] += static_cast<double>(x[i + j]) * x[i + j];
      double total = 0;
      for (double lane : lanes) total += lane;
      for (; i < end; i++) total += static_cast<double>(x[i]) * x[i];
      part[p] = total;
    }
  });
  double total = 0;
  for (int64_t p = 0; p < pieces; p++) total += part[p];
  return total;
}
}
