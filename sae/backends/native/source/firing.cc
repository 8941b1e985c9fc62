// Counts which neurons fire: the numbers behind every sparsity measure, in one pass over the activations of a block of tokens
// (sae/ops/firingCounts.ts says what each output is). Columns are cut into chunks of `chunk` neurons; what all chunks
// share (entries by level, neurons a row) is added up in integers, so the order does not matter.
#include <algorithm>

#include "functions.h"
#include "fusedRows.h"
#include "lazyscope.h"
#include "pool.h"

namespace lazyscope {
namespace {

constexpr int64_t chunk = 64;
constexpr int vectors = chunk / W;
constexpr int maxLevels = 16;

inline int32_t total(ivec v) {
  int32_t s = 0;
  for (int i = 0; i < W; i++) s += v[i];
  return s;
}

void count_columns(const LazyscopeFiring& b, int64_t first) {
  const int64_t columns = std::min(chunk, b.neurons - first), last = first + columns;
  int32_t* over = b.over + first * b.rows;
  int32_t found = 0;
  ivec fired[vectors] = {}, firedAt[vectors] = {}, exceeded[maxLevels] = {};
  vec sums[vectors] = {};
  for (int64_t row = 0; row < b.rows; row++) {
    const float* a = b.a + row * b.neurons;
    const float* gates = b.gates + row * b.neurons;
    ivec here = {};
    for (int64_t line = 0; line < columns; line += 16) __builtin_prefetch(a + 8 * b.neurons + first + line);
    for (int v = 0; v < vectors; v++) {
      const int64_t i = first + v * W;
      if (i >= last) break;
      const int64_t lanes = std::min<int64_t>(W, last - i);
      const vec x = lanes == W ? load(a + i) : load_part(a + i, lanes);
      const vec g = lanes == W ? load(gates + i) : load_part(gates + i, lanes);
      const vec bar = lanes == W ? load(b.bar + i) : load_part(b.bar + i, lanes);
      // A true lane is −1; the missing lanes of a last vector have gate 0 and never fire.
      const ivec on = g != 0.0f;
      if (mask_bits(on) == 0) continue;
      const vec magnitude = abs(x);
      here -= on;
      fired[v] -= on;
      sums[v] += select(on, x, vec{});
      for (int32_t e = 0; e < b.levels; e++) {
        const ivec above = (magnitude > b.thresholds[e]) & on;
        exceeded[e] -= above;
        if (e == b.neuron_level) firedAt[v] -= above;
      }
      const ivec news = (magnitude > bar) & on;
      if (mask_bits(news) != 0)
        for (int64_t lane = 0; lane < lanes; lane++)
          if (news[lane]) over[found++] = int32_t(row * b.neurons + i + lane);
    }
    __atomic_fetch_add(b.row_fired + row, total(here), __ATOMIC_RELAXED);
  }
  for (int64_t i = first; i < last; i++) {
    const int64_t v = (i - first) / W, lane = (i - first) % W;
    b.fired[i] = fired[v][lane];
    b.fired_at[i] = firedAt[v][lane];
    b.sum[i] = sums[v][lane];
  }
  int32_t firing = 0;
  for (int v = 0; v < vectors; v++) firing += total(fired[v]);
  // Entries that exceed exactly e thresholds: those that exceed e or more, less those that exceed one more.
  int32_t reached = firing;
  for (int32_t e = 0; e <= b.levels; e++) {
    const int32_t next = e < b.levels ? total(exceeded[e]) : 0;
    __atomic_fetch_add(b.level_counts + e, reached - next, __ATOMIC_RELAXED);
    reached = next;
  }
  b.over_counts[first / chunk] = found;
}

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

int64_t lazyscope_firing_chunk() { return chunk; }

void lazyscope_firing(const LazyscopeFiring* counts) {
  const LazyscopeFiring& in = *counts;
  std::fill(in.level_counts, in.level_counts + in.levels + 1, 0);
  std::fill(in.row_fired, in.row_fired + in.rows, 0);
  const int64_t chunks = (in.neurons + chunk - 1) / chunk;
  parallel_for(0, chunks, 1, [&](int64_t from, int64_t to) {
    for (int64_t c = from; c < to; c++) count_columns(in, c * chunk);
  });
}
}
