// RMSNorm, LayerNorm and softmax cross-entropy over rows, forward and backward.
//
// Gradients of gain and bias are sums over rows: each chunk of rows keeps its own partial sum, and the
// partial sums are added in order, so the result does not depend on the number of threads.
#include <algorithm>
#include <cmath>

#include "functions.h"
#include "lazyscope.h"
#include "pool.h"
#include "rows.h"

namespace lazyscope {
namespace {

constexpr int64_t grain = 1 << 14;
constexpr int64_t chunk = 64;  // rows a partial sum

int64_t rows_a_task(int64_t d) { return std::max<int64_t>(1, grain / std::max<int64_t>(1, d)); }

template <class F>
inline float sum_row(int64_t d, F f) {
  vec a{}, b{};
  int64_t j = 0;
  for (; j + 2 * W <= d; j += 2 * W) {
    a += f(j, W);
    b += f(j + W, W);
  }
  for (; j + W <= d; j += W) a += f(j, W);
  if (j < d) a += f(j, d - j);
  return sum(a + b);
}
inline vec part(const float* p, int64_t count) { return count == W ? load(p) : load_part(p, count); }

template <class F>
inline void write_row(float* y, int64_t d, F f) {
  int64_t j = 0;
  for (; j + W <= d; j += W) store(y + j, f(j, W));
  if (j < d) store_part(y + j, f(j, d - j), d - j);
}
template <class F>
inline void add_row(float* y, int64_t d, F f) {
  int64_t j = 0;
  for (; j + W <= d; j += W) store(y + j, load(y + j) + f(j, W));
  if (j < d) store_part(y + j, load_part(y + j, d - j) + f(j, d - j), d - j);
}

// Σ (x − mean)²
float squared_deviations(const float* x, int64_t d, float mean) {
  return sum_row(d, [=](int64_t j, int64_t n) {
    vec c = part(x + j, n) - mean;
    for (int64_t i = n; i < W; i++) c[i] = 0;
    return c * c;
  });
}

// Runs body(row, partial) over all rows, then adds the `width` partial sums of all chunks into out.
template <class F>
void with_partial_sums(int64_t rows, int64_t width, float* out, F body) {
  const int64_t chunks = std::max<int64_t>(1, (rows + chunk - 1) / chunk);
  float* partial = scratch(Scratch::reduction, chunks * width);
  parallel_for(0, chunks, 1, [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; c++) {
      float* mine = partial + c * width;
      std::fill(mine, mine + width, 0.0f);
      for (int64_t r = c * chunk; r < std::min(rows, (c + 1) * chunk); r++) body(r, mine);
    }
  });
  std::copy(partial, partial + width, out);
  for (int64_t c = 1; c < chunks; c++)
    for (int64_t j = 0; j < width; j++) out[j] += partial[c * width + j];
}

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

void lazyscope_rms_norm(const float* x, const float* gain, float* y, int64_t rows, int64_t d, float epsilon) {
  parallel_for(0, rows, rows_a_task(d), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; r++) {
      const float* v = x + r * d;
      const float squares = sum_row(d, [&](int64_t j, int64_t n) { const vec a = part(v + j, n); return a * a; });
      const float s = 1.0f / std::sqrt(squares / d + epsilon);
      write_row(y + r * d, d, [&](int64_t j, int64_t n) { return part(v + j, n) * s * part(gain + j, n); });
    }
  });
}

// With s = 1/sqrt(mean x² + ε) and g = dy · gain: dx = s·g − x · s³/d · Σ g x; dgain = Σ_rows dy · x · s.
void lazyscope_rms_norm_grad(const float* x, const float* gain, const float* dy, float* dx, float* dgain, int64_t rows,
                             int64_t d, float epsilon) {
  with_partial_sums(rows, d, dgain, [&](int64_t r, float* partial) {
    const float *v = x + r * d, *g = dy + r * d;
    const float squares = sum_row(d, [&](int64_t j, int64_t n) { const vec a = part(v + j, n); return a * a; });
    const float s = 1.0f / std::sqrt(squares / d + epsilon);
    const float dot = sum_row(d, [&](int64_t j, int64_t n) { return part(g + j, n) * part(gain + j, n) * part(v + j, n); });
    const float back = dot * s * s * s / d;
    write_row(dx + r * d, d, [&](int64_t j, int64_t n) { return part(g + j, n) * part(gain + j, n) * s - part(v + j, n) * back; });
    add_row(partial, d, [&](int64_t j, int64_t n) { return part(g + j, n) * part(v + j, n) * s; });
  });
}

void lazyscope_layer_norm(const float* x, const float* gain, const float* bias, float* y, int64_t rows, int64_t d,
                          float epsilon) {
  parallel_for(0, rows, rows_a_task(d), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; r++) {
      const float* v = x + r * d;
      const float mean = sum_row(d, [&](int64_t j, int64_t n) { return part(v + j, n); }) / d;
      const float squares = squared_deviations(v, d, mean);
      const float s = 1.0f / std::sqrt(squares / d + epsilon);
      write_row(y + r * d, d, [&](int64_t j, int64_t n) {
        return (part(v + j, n) - mean) * s * part(gain + j, n) + part(bias + j, n);
      });
    }
  });
}

// With h = (x − mean)·s and g = dy · gain: dx = s·(g − mean g − h · mean(g h)); dgain = Σ dy h; dbias = Σ dy.
// sums: dgain then dbias, 2 d floats.
void lazyscope_layer_norm_grad(const float* x, const float* gain, const float* dy, float* dx, float* sums, int64_t rows,
                               int64_t d, float epsilon) {
  with_partial_sums(rows, 2 * d, sums, [&](int64_t r, float* partial) {
    const float *v = x + r * d, *g = dy + r * d;
    const float mean = sum_row(d, [&](int64_t j, int64_t n) { return part(v + j, n); }) / d;
    const float squares = squared_deviations(v, d, mean);
    const float s = 1.0f / std::sqrt(squares / d + epsilon);
    const float mean_g = sum_row(d, [&](int64_t j, int64_t n) { return part(g + j, n) * part(gain + j, n); }) / d;
    // Σ g·(x − mean): lanes past the row's end have g = 0.
    const float mean_gh = s / d * sum_row(d, [&](int64_t j, int64_t n) {
      return part(g + j, n) * part(gain + j, n) * (part(v + j, n) - mean);
    });
    write_row(dx + r * d, d, [&](int64_t j, int64_t n) {
      return s * (part(g + j, n) * part(gain + j, n) - mean_g - (part(v + j, n) - mean) * (s * mean_gh));
    });
    add_row(partial, d, [&](int64_t j, int64_t n) { return part(g + j, n) * (part(v + j, n) - mean) * s; });
    add_row(partial + d, d, [&](int64_t j, int64_t n) { return part(g + j, n); });
  });
}

int64_t lazyscope_cross_entropy(const float* logits, const int32_t* labels, float* loss, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; r++)
    if (labels[r] < 0 || labels[r] >= n) return r;
  parallel_for(0, rows, rows_a_task(n), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; r++) {
      const float* x = logits + r * n;
      const float high = row_max(x, n);
      loss[r] = std::log(sum_exp_row(x, n, high)) + (high - x[labels[r]]);
    }
  });
  return -1;
}

void lazyscope_cross_entropy_grad(const float* logits, const int32_t* labels, const float* dy, float* dlogits,
                                  int64_t rows, int64_t n) {
  parallel_for(0, rows, rows_a_task(n), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; r++) {
      float* out = dlogits + r * n;
      const float total = exp_row(logits + r * n, out, n, row_max(logits + r * n, n));
      const float scale = dy[r] / total;
      for (int64_t j = 0; j < n; j++) out[j] *= scale;
      out[labels[r]] -= dy[r];
    }
  });
}
}
