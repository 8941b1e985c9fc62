// The k largest of each row over several processes, of which each has sent its own largest: what of them is here.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "lazyscope.h"
#include "topKSelection.h"

namespace lazyscope {
namespace {

constexpr int32_t nan_key = 0x7fffffff;

// Whole numbers in the order of the values, from 0 for what is not positive to that of NaN.
inline int32_t key_of(float value) {
  int32_t bits;
  std::memcpy(&bits, &value, 4);
  const int32_t key = bits > 0 ? bits : 0;
  return (bits & 0x7fffffff) > not_finite ? nan_key : key;
}

// What this process keeps of a row: keys above the bar, and of those that equal it the first `places`. A bar of 0 keeps all that is positive.
struct Kept {
  int32_t bar;
  int64_t places;

  bool takes(int32_t key) {
    return key > bar || (key > 0 && key == bar && places-- > 0);
  }
};

// False where some process may have more of the k largest than it has sent.
bool judge(const LazyscopeCandidates& in, int64_t row, int32_t* keys, Kept& kept) {
  const int64_t each = in.each, k = in.k, count = in.ranks * each;
  int64_t positive = 0;
  for (int64_t r = 0; r < in.ranks; r++) {
    const float* from = in.all + (r * in.rows + row) * each;
    int32_t* to = keys + r * each;
    for (int64_t i = 0; i < each; i++) {
      to[i] = key_of(from[i]);
      positive += to[i] > 0;
    }
  }
  kept.bar = 0;
  if (positive >= k && count > k) {
    const auto [low, high, n, above] = bracket_kth(keys, pad_ranks(keys, count), count, k, 0);
    kept.bar = high;
    if (n == k) {
      kept.bar = nan_key;
      for (int64_t i = 0; i < count; i++) kept.bar = std::min(kept.bar, keys[i] > low ? keys[i] : nan_key);
    }
  }
  kept.places = k;
  for (int64_t r = 0; r < in.ranks; r++) {
    const int32_t* of = keys + r * each;
    // Places that are left for what equals the bar, once lower ranks have taken theirs.
    const int32_t taken = r < in.rank ? kept.bar - 1 : kept.bar;
    int32_t least = nan_key;
    int64_t before = 0;
    for (int64_t i = 0; i < each; i++) {
      least = std::min(least, of[i]);
      before += of[i] > taken;
    }
    kept.places -= before;
    if (each < k && least > 0 && least >= kept.bar) return false;
  }
  return true;
}

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

int64_t lazyscope_own_of_largest(const LazyscopeCandidates* candidates, int32_t* row_start, int32_t* indices,
                                 float* values) {
  const LazyscopeCandidates& in = *candidates;
  thread_local Buffer<Kept> kept_buffer;
  Kept* kept = at_least(kept_buffer, in.rows);
  const float* mine = in.all + in.rank * in.rows * in.each;
  std::atomic<bool> enough{true};
  row_start[0] = 0;
  parallel_for(0, in.rows, 64, [&](int64_t first, int64_t last) {
    thread_local Buffer<int32_t> keys_buffer;
    int32_t* keys = at_least(keys_buffer, in.ranks * in.each + W);
    for (int64_t row = first; row < last && enough; row++) {
      if (!judge(in, row, keys, kept[row])) {
        enough = false;
        return;
      }
      Kept count = kept[row];
      const int64_t found = in.row_start[row + 1] - in.row_start[row];
      int32_t taken = 0;
      for (int64_t i = 0; i < found; i++) taken += count.takes(keys[in.rank * in.each + i]);
      row_start[row + 1] = taken;
    }
  });
  if (!enough) return -1;
  for (int64_t row = 0; row < in.rows; row++) row_start[row + 1] += row_start[row];
  parallel_for(0, in.rows, 64, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; row++) {
      Kept take = kept[row];
      int64_t to = row_start[row];
      const float* value = mine + row * in.each;
      for (int64_t from = in.row_start[row], i = 0; from < in.row_start[row + 1]; from++, i++) {
        if (!take.takes(key_of(value[i]))) continue;
        indices[to] = in.indices[from];
        values[to++] = value[i];
      }
    }
  });
  return row_start[in.rows];
}
}
