// The best columns of each row and the best rows of each column of a·bᵀ, picked out of the product's tiles while they
// are in the first-level cache; the product is never stored. Same lists as TopScores (sae/ops/topScores.ts):
// scores are compared in steps of TIE, equal ones by a hash of owner and index, which makes the order total, so
// that the lists do not depend on which thread came first.
//
// Screened (screening.h), the product is one of 16-bit integers, and only the pairs that its bound leaves possible are
// computed in floats: what a list keeps and what its bar says are those floats, so that nothing is given up but the
// order of summation within a pair.
#include <atomic>
#include <cmath>
#include <memory>
#include <utility>

#include "lazyscope.h"
#include "screenedSelection.h"

namespace lazyscope {
namespace {

constexpr float TIE = 1.0f / (1 << 20);

inline int64_t steps(float score) { return static_cast<int64_t>(std::floor(score * 1048576.0 + 0.5)); }

inline uint32_t scatter(int32_t owner, int32_t index) {
  uint32_t h = static_cast<uint32_t>(owner) * 0x9e3779b1u ^ (static_cast<uint32_t>(index) + 1) * 0x85ebca6bu;
  h = (h ^ (h >> 15)) * 0x2c1b3c6du;
  return h ^ (h >> 13);
}

void insert(const LazyscopePairList& lists, int64_t owner, int64_t index, float score) {
  int32_t* indices = lists.index + owner * lists.length;
  float* scores = lists.score + owner * lists.length;
  const int64_t mine = steps(score);
  const uint32_t hash = scatter(static_cast<int32_t>(owner), static_cast<int32_t>(index));
  auto before = [&](int at) {
    if (indices[at] < 0) return true;
    const int64_t there = steps(scores[at]);
    return mine != there ? mine > there : hash < scatter(static_cast<int32_t>(owner), indices[at]);
  };
  int at = lists.length - 1;
  if (!before(at)) return;
  for (; at > 0 && before(at - 1); at--) {
    scores[at] = scores[at - 1];
    indices[at] = indices[at - 1];
  }
  scores[at] = score;
  indices[at] = static_cast<int32_t>(index);
  // Others look at the bars of columns while they are raised.
  const float bar = scores[lists.length - 1] - TIE;
  __atomic_store(lists.bar + owner, &bar, __ATOMIC_RELAXED);
}

inline float current(const float* bar) {
  float value;
  __atomic_load(bar, &value, __ATOMIC_RELAXED);
  return value;
}

// Held for the few instructions of an insertion: waiting costs less than a queue would.
struct SpinLocks {
  std::unique_ptr<std::atomic_flag[]> flags;
  explicit SpinLocks(int64_t count) : flags(new std::atomic_flag[count]) {
    for (int64_t i = 0; i < count; i++) flags[i].clear();
  }
  void lock(int64_t i) {
    while (flags[i].test_and_set(std::memory_order_acquire)) {
    }
  }
  void unlock(int64_t i) { flags[i].clear(std::memory_order_release); }
};

struct Picking {
  LazyscopePairList by_row, by_column;
  int64_t first;               // row of the whole matrix that the tiles' row 0 is
  const float* row_offset;     // of the whole matrix
  const float* column_offset;  // padded, as by_column.bar is
  float* best;
  SpinLocks locks;
  // Counts only pairs that pass their row's bar. Unlike a column's, a row's bar does not depend on which thread came
  // first, so the count is the same in every run.
  std::atomic<int64_t> row_hits{0};
};

// The pieces of a finished product: tile [count][NR] of rows from `row`, columns from `column`, `width` of them real.
// Scores(row, column, tile).upper(i, v, value) is at least what exact() returns for those lanes.
template <class Scores>
void pick(Picking& p, const Scores& of, int64_t row, int count, int64_t column, int width, const float* tile) {
  const auto scores = of.at(row, column, tile);
  const float* offsets = p.column_offset + column;
  vec offset[NV];
  for (int v = 0; v < NV; v++) offset[v] = load(offsets + v * W);
  // Another thread may be raising the bars: an old one lets through what the insertion turns away.
  float bars[NR];
  for (int j = 0; j < NR; j++) bars[j] = current(p.by_column.bar + column + j);
  int64_t row_hits = 0;
  for (int i = 0; i < count; i++) {
    const int64_t owner = p.first + row + i;
    const float row_offset = p.row_offset[owner];
    const vec bar = broadcast(p.by_row.bar[owner]), mine = broadcast(row_offset);
    for (int v = 0; v < NV; v++) {
      const vec upper = scores.upper(i, v);
      // Written so that what is not a number passes: a bound of infinity times nothing is none.
      const unsigned for_row = mask_bits(~(ivec)(upper - offset[v] <= bar)) & real_lanes(width - v * W);
      const unsigned for_column =
          mask_bits(~(ivec)(upper - mine <= load(bars + v * W))) & real_lanes(width - v * W);
      row_hits += __builtin_popcount(for_row);
      for (unsigned left = for_row | for_column; left != 0; left &= left - 1) {
        const int j = v * W + __builtin_ctz(left);
        const float product = scores.exact(i, j);
        const float value = product - offsets[j];
        if (value > p.by_row.bar[owner]) {
          if (value > p.best[owner]) p.best[owner] = value;
          insert(p.by_row, owner, column + j, value);
        }
        const float offer = product - row_offset;
        if (!(offer > bars[j])) continue;
        p.locks.lock(column / NR);
        if (offer > current(p.by_column.bar + column + j)) insert(p.by_column, column + j, owner, offer);
        bars[j] = current(p.by_column.bar + column + j);
        p.locks.unlock(column / NR);
      }
    }
  }
  if (row_hits > 0) p.row_hits.fetch_add(row_hits, std::memory_order_relaxed);
}

struct Plain {
  struct Tile {
    const float* tile;
    vec upper(int i, int v) const { return *(const vec*)(tile + i * NR + v * W); }
    float exact(int i, int j) const { return tile[i * NR + j]; }
  };
  Tile at(int64_t, int64_t, const float* tile) const { return {tile}; }
};

struct Screened {
  const float *a, *b;  // rows of this call, and all of b
  int64_t d;
  RoundedRows rows;
  LatentBounds columns;

  struct Tile {
    const Screened& of;
    int64_t row, column;
    const float* tile;
    Screen screens[NV];

    vec upper(int i, int v) const {
      const int64_t at = row + i;
      return screens[v].pre_activation(tile + i * NR + v * W, of.rows.inverse[at]) +
             screens[v].bound(of.rows.norm[at], of.rows.residual[at]);
    }
    float exact(int i, int j) const { return dot_row(of.a + (row + i) * of.d, of.b + (column + j) * of.d, of.d); }
  };
  Tile at(int64_t row, int64_t column, const float* tile) const {
    return tile_at(row, column, tile, std::make_index_sequence<NV>());
  }
  template <size_t... V>
  Tile tile_at(int64_t row, int64_t column, const float* tile, std::index_sequence<V...>) const {
    return {*this, row, column, tile, {Screen(columns, column + int64_t(V) * W)...}};
  }
};

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

double lazyscope_top_pairs(const LazyscopeTopPairs* pairs) {
  const auto& in = *pairs;
  const float *a = in.a, *b = in.b;
  const int64_t rows = in.rows, columns = in.columns, d = in.d;
  Picking picking{in.by_row,
                  in.by_column,
                  in.first,
                  in.row_offset,
                  in.column_offset,
                  in.best,
                  SpinLocks((columns + NR - 1) / NR)};
  auto with = [&](const auto& scores) {
    return [&](int64_t row, int count, int64_t column, int width, const float* tile) {
      pick(picking, scores, row, count, column, width, tile);
    };
  };
  if (!screens(in.screening, rows, d, columns, in.by_row.length + in.by_column.length)) {
    gemm_tiles(rows, columns, d, {a, d, false}, {b, d, true}, with(Plain{}), Split::rows);
    return -1;
  }
  // Not kept from call to call: they are as large as half of b.
  RoundedBuffers of_rows, of_columns;
  BoundBuffers bounds;
  const std::vector<float> none(columns, 0.0f);
  const RoundedRows rounded = round_rows(of_rows, a, rows, d), others = round_rows(of_columns, b, columns, d);
  const Screened scores{a, b, d, rounded, latent_bounds(bounds, others, none.data(), columns, d)};
  gemm_tiles(rows, columns, rounded.depth, {rounded.pairs, rounded.depth, false}, {others.pairs, others.depth, true},
             with(scores), Split::rows, Arithmetic::pairs);
  return double(picking.row_hits) / (double(rows) * double(columns));
}
}
