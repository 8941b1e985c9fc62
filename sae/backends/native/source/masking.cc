// Activations without the entries that a rule masks: what sae/ops/maskedActivations.ts defines.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "functions.h"
#include "fusedRows.h"
#include "lazyscope.h"
#include "pool.h"

namespace lazyscope {
namespace {

constexpr int64_t block_rows = 8;
typedef double doubles __attribute__((vector_size(W * 8)));

inline int64_t lanes_at(int64_t i, int64_t n) { return std::min<int64_t>(W, n - i); }
inline vec load_lanes(const float* p, int64_t lanes) { return lanes == W ? load(p) : load_part(p, lanes); }
// What lies beyond the last column counts as nothing.
inline unsigned lane_bits(int64_t lanes) { return (1u << lanes) - 1; }

double add_up(const doubles& v) {
  double s = 0;
  for (int i = 0; i < W; i++) s += v[i];
  return s;
}

// mean + std·quantile of n values; the standard deviation is the sample's.
double normal_threshold(const float* x, int64_t n, double quantile) {
  doubles total{}, spread{};
  int64_t i = 0;
  for (; i + W <= n; i += W) total += __builtin_convertvector(load(x + i), doubles);
  double mean = add_up(total);
  for (; i < n; i++) mean += x[i];
  mean /= double(n);
  for (i = 0; i + W <= n; i += W) {
    const doubles off = __builtin_convertvector(load(x + i), doubles) - mean;
    spread += off * off;
  }
  double squares = add_up(spread);
  for (; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
  const double std = std::sqrt(squares / double(n - 1));
  return std == 0 ? mean : mean + std * quantile;
}

// The largest float that is not above x: a float exceeds it exactly when it exceeds x.
float at_most(double x) {
  const float single = float(x);
  return double(single) > x ? std::nextafter(single, -std::numeric_limits<float>::infinity()) : single;
}

// How many of the magnitudes have bits above `bound`. Bits of magnitudes order as the magnitudes do, and NaN is above all.
int64_t count_above(const float* x, int64_t n, int32_t bound) {
  ivec counts{};
  int64_t i = 0;
  for (; i + W <= n; i += W) counts -= ((ivec)load(x + i) & 0x7fffffff) > bound;
  int64_t count = 0;
  for (int lane = 0; lane < W; lane++) count += counts[lane];
  for (; i < n; i++) {
    int32_t bits;
    std::memcpy(&bits, x + i, 4);
    if ((bits & 0x7fffffff) > bound) count++;
  }
  return count;
}

// The bits of the k-th largest magnitude, from the highest bit to the lowest.
int32_t kth_largest(const float* x, int64_t n, int64_t k) {
  int32_t found = 0;
  for (int bit = 30; bit >= 0; bit--) {
    const int32_t tried = found | (1 << bit);
    if (count_above(x, n, tried - 1) >= k) found = tried;
  }
  return found;
}

struct Counts {
  int32_t zeros = 0, before = 0;
};

// Counts one vector of the row as it was and as it becomes.
inline void count(Counts& counts, vec before, vec after, int64_t lanes) {
  const unsigned real = lane_bits(lanes);
  counts.zeros += __builtin_popcount(mask_bits(after == 0.0f) & real);
  // Neither a number above 0 in magnitude: 0, or NaN.
  counts.before += __builtin_popcount(~mask_bits(abs(before) > 0.0f) & real);
}

inline void put(float* out, vec v, int64_t lanes) {
  if (lanes == W) store(out, v);
  else
    for (int64_t lane = 0; lane < lanes; lane++) out[lane] = v[lane];
}

// Masks where key <= bar, with a bar for each neuron, or the same for all where `bars` is null.
Counts mask_at_most(const float* a, const float* key, const float* bars, float bar, int64_t n, float* out) {
  Counts counts;
  for (int64_t i = 0; i < n; i += W) {
    const int64_t lanes = lanes_at(i, n);
    const vec x = load_lanes(a + i, lanes);
    const vec compared = key ? load_lanes(key + i, lanes) : abs(x);
    const vec limit = bars ? load_lanes(bars + i, lanes) : broadcast(bar);
    const vec kept = select(compared <= limit, vec{}, x);
    put(out + i, kept, lanes);
    count(counts, x, kept, lanes);
  }
  return counts;
}

// x − θ where x is above θ, 0 elsewhere.
Counts soften(const float* x, double threshold, int64_t n, float* out) {
  const float limit = at_most(threshold);
  const double shift = threshold == -std::numeric_limits<double>::infinity() ? 0 : threshold;
  Counts counts;
  for (int64_t i = 0; i < n; i += W) {
    const int64_t lanes = lanes_at(i, n);
    const vec given = load_lanes(x + i, lanes);
    const vec reduced = __builtin_convertvector(__builtin_convertvector(given, doubles) - shift, vec);
    const vec kept = select(given <= limit, vec{}, reduced);
    put(out + i, kept, lanes);
    count(counts, given, kept, lanes);
  }
  return counts;
}

// Keeps the k largest magnitudes; of equal ones those that come first.
Counts keep_largest(const float* a, int64_t n, int64_t k, float* out) {
  const int32_t least = k >= n ? 0 : kth_largest(a, n, k);
  // At the bound itself there are places for some only, unless every entry is kept.
  int64_t places = k >= n ? n : k - count_above(a, n, least);
  Counts counts;
  for (int64_t i = 0; i < n; i += W) {
    const int64_t lanes = lanes_at(i, n);
    const vec x = load_lanes(a + i, lanes);
    const ivec bits = (ivec)x & 0x7fffffff;
    ivec kept = bits > least;
    if (mask_bits(bits == least) & lane_bits(lanes))
      for (int64_t lane = 0; lane < lanes; lane++)
        if (bits[lane] == least && places > 0) {
          kept[lane] = -1;
          places--;
        }
    const vec value = select(kept, x, vec{});
    put(out + i, value, lanes);
    count(counts, x, value, lanes);
  }
  return counts;
}

Counts mask_row(const LazyscopeMasking& b, int64_t row) {
  const int64_t n = b.neurons;
  const float* a = b.a + row * n;
  const float* key = b.key ? b.key + row * n : nullptr;
  float* out = b.out + row * n;
  switch (b.rule) {
    case 0:
      return mask_at_most(a, key, b.bars, 0, n, out);
    case 1:
      return keep_largest(a, n, b.k, out);
    case 2:
      return mask_at_most(a, key ? key : a, nullptr, at_most(normal_threshold(key ? key : a, n, b.quantile)), n, out);
    default:
      return soften(a, normal_threshold(a, n, b.quantile), n, out);
  }
}

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

void lazyscope_mask(const LazyscopeMasking* masking) {
  const LazyscopeMasking& b = *masking;
  b.counts[0] = b.counts[1] = 0;
  parallel_for(0, b.rows, block_rows, [&b](int64_t from, int64_t to) {
    Counts all;
    for (int64_t row = from; row < to; row++) {
      const Counts here = mask_row(b, row);
      all.zeros += here.zeros;
      all.before += here.before;
    }
    __atomic_fetch_add(b.counts, all.zeros, __ATOMIC_RELAXED);
    __atomic_fetch_add(b.counts + 1, all.before, __ATOMIC_RELAXED);
  });
}
}
