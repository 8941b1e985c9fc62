// The best columns of each row and the best rows of each column of a·bᵀ, picked out of the product's tiles while they
// are in the first-level cache; the product is never stored. Same lists as TopScores (sae/ops/topScores.ts):
// scores are compared in steps of TIE, equal ones by a hash of owner and index, which makes the order total, so
// that the lists do not depend on which thread came first.
#include <atomic>
#include <cmath>
#include <memory>

#include "fusedRows.h"
#include "gemm.h"

namespace lazyscope {
namespace {

constexpr float TIE = 1.0f / (1 << 20);

struct Lists {
  int32_t kept;
  int32_t* index;  // [owners, kept]
  float* score;    // [owners, kept]
  float* bar;      // [owners]
};

inline int64_t steps(float score) { return static_cast<int64_t>(std::floor(score * 1048576.0 + 0.5)); }

inline uint32_t scatter(int32_t owner, int32_t index) {
  uint32_t h = static_cast<uint32_t>(owner) * 0x9e3779b1u ^ (static_cast<uint32_t>(index) + 1) * 0x85ebca6bu;
  h = (h ^ (h >> 15)) * 0x2c1b3c6du;
  return h ^ (h >> 13);
}

void insert(const Lists& lists, int64_t owner, int64_t index, float score) {
  int32_t* indices = lists.index + owner * lists.kept;
  float* scores = lists.score + owner * lists.kept;
  const int64_t mine = steps(score);
  const uint32_t hash = scatter(static_cast<int32_t>(owner), static_cast<int32_t>(index));
  auto before = [&](int at) {
    if (indices[at] < 0) return true;
    const int64_t there = steps(scores[at]);
    return mine != there ? mine > there : hash < scatter(static_cast<int32_t>(owner), indices[at]);
  };
  int at = lists.kept - 1;
  if (!before(at)) return;
  for (; at > 0 && before(at - 1); at--) {
    scores[at] = scores[at - 1];
    indices[at] = indices[at - 1];
  }
  scores[at] = score;
  indices[at] = static_cast<int32_t>(index);
  // Others look at the bars of columns while they are raised.
  const float bar = scores[lists.kept - 1] - TIE;
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

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

// Rows [first, first + rows) of a whole matrix against all columns: a is [rows, d], b [columns, d]. Lists, best and
// row_offset are those of the whole matrix; column_offset and column_bar have at least `columns` rounded up to a
// multiple of 32 entries. Lists go on from where earlier calls left them.
void lazyscope_top_pairs(const float* a, int64_t first, int64_t rows, const float* b, int64_t columns, int64_t d,
                         const float* row_offset, const float* column_offset, int32_t per_row, int32_t* row_index,
                         float* row_score, float* row_bar, float* best, int32_t per_column, int32_t* column_index,
                         float* column_score, float* column_bar) {
  const Lists by_row{per_row, row_index, row_score, row_bar};
  const Lists by_column{per_column, column_index, column_score, column_bar};
  SpinLocks locks((columns + NR - 1) / NR);
  auto pick = [&](int64_t row, int count, int64_t column, int width, const float* tile) {
    vec offset[NV];
    for (int v = 0; v < NV; v++) offset[v] = load(column_offset + column + v * W);
    // Another thread may be raising the bars: an old one lets through what the insertion turns away.
    float bars[NR];
    for (int j = 0; j < NR; j++) bars[j] = current(column_bar + column + j);
    for (int i = 0; i < count; i++, tile += NR) {
      const int64_t owner = first + row + i;
      const vec bar = broadcast(row_bar[owner]), mine = broadcast(row_offset[owner]);
      ivec hit{};
      for (int v = 0; v < NV; v++) {
        const vec value = *(const vec*)(tile + v * W);
        hit |= (value - offset[v] > bar) | (value - mine > load(bars + v * W));
      }
      if (mask_bits(hit) == 0) continue;
      for (int j = 0; j < width; j++) {
        const float value = tile[j] - column_offset[column + j];
        if (value > row_bar[owner]) {
          if (value > best[owner]) best[owner] = value;
          insert(by_row, owner, column + j, value);
        }
        const float offer = tile[j] - row_offset[owner];
        if (!(offer > bars[j])) continue;
        locks.lock(column / NR);
        if (offer > current(column_bar + column + j)) insert(by_column, column + j, owner, offer);
        bars[j] = current(column_bar + column + j);
        locks.unlock(column / NR);
      }
    }
  };
  gemm_tiles(rows, columns, d, {a, d, false}, {b, d, true}, pick, Split::rows);
}
}
