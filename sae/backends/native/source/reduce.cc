// Reductions over the middle of [outer, n, inner], softmax over rows, argmax, running sums and the sum of
// rows that share a segment. Long sums are cut into pieces of fixed size whose sums are then added, which
// keeps the rounding error of f32 small and does not depend on the number of threads.
#include <algorithm>
#include <cmath>

#include "functions.h"
#include "lazyscope.h"
#include "pool.h"
#include "rows.h"

namespace lazyscope {
namespace {

enum Reduction : int32_t { SUM, PROD, MAX, MIN };
constexpr int64_t grain = 1 << 15;
constexpr int64_t piece = 4096;

template <int OP>
inline float combine(float a, float b) {
  if (OP == SUM) return a + b;
  if (OP == PROD) return a * b;
  if (OP == MAX) return a > b || a != a ? a : b;
  return a < b || a != a ? a : b;
}
template <int OP>
inline vec combine(vec a, vec b) {
  if (OP == SUM) return a + b;
  if (OP == PROD) return a * b;
  if (OP == MAX) return select((a > b) | (a != a), a, b);
  return select((a < b) | (a != a), a, b);
}
template <int OP>
constexpr float start() {
  return OP == SUM ? 0.0f : OP == PROD ? 1.0f : OP == MAX ? -INFINITY : INFINITY;
}

template <int OP>
float reduce_piece(const float* x, int64_t count) {
  vec lanes[4];
  for (vec& v : lanes) v = broadcast(start<OP>());
  int64_t i = 0;
  for (; i + 4 * W <= count; i += 4 * W)
    for (int j = 0; j < 4; j++) lanes[j] = combine<OP>(lanes[j], load(x + i + j * W));
  for (; i + W <= count; i += W) lanes[0] = combine<OP>(lanes[0], load(x + i));
  const vec all = combine<OP>(combine<OP>(lanes[0], lanes[1]), combine<OP>(lanes[2], lanes[3]));
  float result = start<OP>();
  for (int j = 0; j < W; j++) result = combine<OP>(result, all[j]);
  for (; i < count; i++) result = combine<OP>(result, x[i]);
  return result;
}

template <int OP>
float reduce_row(const float* x, int64_t count) {
  if (count <= piece) return reduce_piece<OP>(x, count);
  const int64_t half = (count / 2 + piece - 1) / piece * piece;
  return combine<OP>(reduce_row<OP>(x, half), reduce_row<OP>(x + half, count - half));
}

template <int OP>
void reduce(const float* x, float* out, int64_t outer, int64_t n, int64_t inner) {
  if (inner == 1) {
    if (outer == 1 && n > grain) {
      const int64_t pieces = (n + grain - 1) / grain;
      float* part = scratch(Scratch::reduction, pieces);
      parallel_for(0, pieces, 1, [&](int64_t first, int64_t last) {
        for (int64_t p = first; p < last; p++) part[p] = reduce_row<OP>(x + p * grain, std::min(grain, n - p * grain));
      });
      out[0] = reduce_row<OP>(part, pieces);
      return;
    }
    parallel_for(0, outer, std::max<int64_t>(1, grain / std::max<int64_t>(1, n)), [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; i++) out[i] = reduce_row<OP>(x + i * n, n);
    });
    return;
  }
  // Columns: rows are added up in groups of `group`, then the groups' sums.
  constexpr int64_t group = 256;
  const int64_t groups = std::max<int64_t>(1, (n + group - 1) / group);
  float* part = groups > 1 ? scratch(Scratch::reduction, outer * groups * inner) : out;
  auto add_rows = [&](const float* from, float* to, int64_t rows) {
    for (int64_t j = 0; j < inner; j++) to[j] = start<OP>();
    for (int64_t r = 0; r < rows; r++)
      for (int64_t j = 0; j < inner; j++) to[j] = combine<OP>(to[j], from[r * inner + j]);
  };
  const int64_t task = std::max<int64_t>(1, grain / std::max<int64_t>(1, std::min(n, group) * inner));
  parallel_for(0, outer * groups, task, [&](int64_t first, int64_t last) {
    for (int64_t t = first; t < last; t++) {
      const int64_t o = t / groups, g = t % groups;
      add_rows(x + (o * n + g * group) * inner, part + t * inner, std::max<int64_t>(0, std::min(group, n - g * group)));
    }
  });
  if (groups > 1)
    for (int64_t o = 0; o < outer; o++) add_rows(part + o * groups * inner, out + o * inner, groups);
}

}  // namespace

// max, then Σ e^(x − max), of one row.
float row_max(const float* x, int64_t n) { return reduce_row<MAX>(x, n); }

float exp_row(const float* x, float* y, int64_t n, float shift) {
  vec total{};
  int64_t i = 0;
  for (; i + W <= n; i += W) {
    const vec e = exp(load(x + i) - shift);
    store(y + i, e);
    total += e;
  }
  float result = sum(total);
  if (i < n) {
    const vec e = exp(load_part(x + i, n - i) - shift);
    store_part(y + i, e, n - i);
    for (int64_t j = 0; j < n - i; j++) result += e[j];
  }
  return result;
}

ExpSums exp_row_weighted(const float* x, float* y, int64_t n, float shift) {
  vec total{}, weighted{};
  int64_t i = 0;
  for (; i + W <= n; i += W) {
    const vec z = load(x + i) - shift, e = exp(z);
    store(y + i, e);
    total += e;
    weighted = multiply_add(z, e, weighted);
  }
  ExpSums sums{sum(total), sum(weighted)};
  if (i < n) {
    const vec z = load_part(x + i, n - i) - shift, e = exp(z);
    store_part(y + i, e, n - i);
    for (int64_t j = 0; j < n - i; j++) {
      sums.total += e[j];
      sums.weighted += z[j] * e[j];
    }
  }
  return sums;
}

float sum_exp_row(const float* x, int64_t n, float shift) {
  vec total{};
  int64_t i = 0;
  for (; i + W <= n; i += W) total += exp(load(x + i) - shift);
  float result = sum(total);
  if (i < n) {
    const vec e = exp(load_part(x + i, n - i) - shift);
    for (int64_t j = 0; j < n - i; j++) result += e[j];
  }
  return result;
}

}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

void lazyscope_reduce(int32_t op, const float* x, float* out, int64_t outer, int64_t n, int64_t inner) {
  if (op == SUM) reduce<SUM>(x, out, outer, n, inner);
  else if (op == PROD) reduce<PROD>(x, out, outer, n, inner);
  else if (op == MAX) reduce<MAX>(x, out, outer, n, inner);
  else reduce<MIN>(x, out, outer, n, inner);
}

void lazyscope_reduce_int(int32_t op, const int32_t* x, int32_t* out, int64_t outer, int64_t n, int64_t inner) {
  parallel_for(0, outer, std::max<int64_t>(1, grain / std::max<int64_t>(1, n * inner)), [&](int64_t first, int64_t last) {
    for (int64_t o = first; o < last; o++)
      for (int64_t j = 0; j < inner; j++) {
        const int32_t* from = x + o * n * inner + j;
        int32_t r = op == SUM ? 0 : op == PROD ? 1 : op == MAX ? INT32_MIN : INT32_MAX;
        for (int64_t i = 0; i < n; i++) {
          const int32_t v = from[i * inner];
          if (op == SUM) r = static_cast<int32_t>(static_cast<uint32_t>(r) + static_cast<uint32_t>(v));
          else if (op == PROD) r = static_cast<int32_t>(static_cast<uint32_t>(r) * static_cast<uint32_t>(v));
          else if (op == MAX) r = std::max(r, v);
          else r = std::min(r, v);
        }
        out[o * inner + j] = r;
      }
  });
}

void lazyscope_softmax(const float* x, float* y, int64_t rows, int64_t n) {
  parallel_for(0, rows, std::max<int64_t>(1, grain / 4 / std::max<int64_t>(1, n)), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; r++) {
      const float* from = x + r * n;
      float* to = y + r * n;
      const float high = row_max(from, n);
      const float scale = 1.0f / exp_row(from, to, n, high);
      for (int64_t i = 0; i < n; i++) to[i] *= scale;
    }
  });
}

void lazyscope_arg_extreme(const float* x, int32_t* out, int64_t outer, int64_t n, int64_t inner, int32_t smallest) {
  parallel_for(0, outer, std::max<int64_t>(1, grain / std::max<int64_t>(1, n * inner)), [&](int64_t first, int64_t last) {
    for (int64_t o = first; o < last; o++)
      for (int64_t j = 0; j < inner; j++) {
        const float* from = x + o * n * inner + j;
        float best = n > 0 ? from[0] : 0;
        int32_t at = 0;
        for (int64_t i = 1; i < n; i++) {
          const float v = from[i * inner];
          if (smallest ? v < best : v > best) {
            best = v;
            at = static_cast<int32_t>(i);
          }
        }
        out[o * inner + j] = at;
      }
  });
}

void lazyscope_cumsum(const float* x, float* y, int64_t outer, int64_t n, int64_t inner, int32_t exclusive,
                      int32_t reverse) {
  parallel_for(0, outer, std::max<int64_t>(1, grain / std::max<int64_t>(1, n * inner)), [&](int64_t first, int64_t last) {
    for (int64_t o = first; o < last; o++)
      for (int64_t j = 0; j < inner; j++) {
        const int64_t base = o * n * inner + j;
        float total = 0;
        for (int64_t step = 0; step < n; step++) {
          const int64_t i = base + (reverse ? n - 1 - step : step) * inner;
          const float value = x[i];
          y[i] = exclusive ? total : total + value;
          total += value;
        }
      }
  });
}

void lazyscope_segment_sum(const float* x, const int32_t* segment, float* out, int64_t rows, int64_t segments,
                           int64_t inner) {
  // Columns are shared out, not rows: each element is then added up by one thread, in order.
  const int64_t width = std::max<int64_t>(16, (inner + 31) / 32);
  parallel_for(0, inner, rows * inner < grain ? inner : width, [&](int64_t first, int64_t last) {
    for (int64_t s = 0; s < segments; s++) std::fill(out + s * inner + first, out + s * inner + last, 0.0f);
    for (int64_t r = 0; r < rows; r++) {
      if (segment[r] < 0 || segment[r] >= segments) continue;
      const float* from = x + r * inner;
      float* to = out + segment[r] * inner;
      for (int64_t j = first; j < last; j++) to[j] += from[j];
    }
  });
}
}
