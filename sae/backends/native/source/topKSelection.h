// The running choice of the k largest pre-activations of each row, as an epilogue of the product.
#pragma once

#include <algorithm>

#include "selection.h"

namespace lazyscope {

// Candidates of a row, in ascending order of latent. A rank is the bits of a positive float, which sort as the float
// does; whatever is not finite ranks highest.
constexpr int32_t not_finite = 0x7f800000;

// Of a value that fires.
inline int32_t rank_of(float z) {
  int32_t bits;
  std::memcpy(&bits, &z, 4);
  return std::min(bits & 0x7fffffff, not_finite);
}

inline float value_of(int32_t rank) {
  if (rank == not_finite) return std::numeric_limits<float>::quiet_NaN();
  float z;
  std::memcpy(&z, &rank, 4);
  return z;
}

// Ranks of 0 fill the last vector up.
inline int64_t pad_ranks(int32_t* rank, int64_t count) {
  const int64_t whole = (count + W - 1) / W * W;
  for (int64_t i = count; i < whole; i++) rank[i] = 0;
  return whole;
}

// Where the k-th largest rank lies. Either n == k, and exactly k ranks are above `low`; or it is `high`, and `above`
// ranks are above it.
struct Bracket {
  int32_t low, high;
  int64_t n, above;
};

// By bisection, counting in vectors: hardly a branch depends on the data. `least` is at most the k-th rank; of `count`
// ranks, at least k, padded to `whole`.
inline Bracket bracket_kth(const int32_t* rank, int64_t whole, int64_t count, int64_t k, int32_t least) {
  // count(rank > low) >= k > count(rank > high); what ties with the least is above low.
  int32_t low = std::max(least - 1, 0), high = 0;
  ivec most{};
  for (int64_t i = 0; i < whole; i += W) {
    const ivec r = *(const ivec_unaligned*)(rank + i);
    most = r > most ? r : most;
  }
  for (int i = 0; i < W; i++) high = std::max(high, most[i]);
  int64_t above = 0, n = count;
  while (high - low > 1 && n != k) {
    const int32_t middle = low + (high - low) / 2;
    ivec total{};
    const ivec limit = ivec{} + middle;
    for (int64_t i = 0; i < whole; i += W) total -= *(const ivec_unaligned*)(rank + i) > limit;
    n = 0;
    for (int i = 0; i < W; i++) n += total[i];
    if (n >= k) low = middle;
    else high = middle, above = n;
  }
  return {low, high, n, above};
}

struct TopK {
  const float* bias;  // padded
  int64_t k, capacity;
  int32_t* ranks;    // [rows][capacity]
  int32_t* latents;  // [rows][capacity]
  int32_t* counts;   // [rows]
  float* kth;        // [rows]: nothing at or below this can still be chosen

  // Keeps the k best of a row, in their order.
  void shrink(int64_t row) const {
    int32_t *rank = ranks + row * capacity, *latent = latents + row * capacity;
    const int64_t count = counts[row];
    const int64_t whole = pad_ranks(rank, count);
    int32_t least_so_far;
    std::memcpy(&least_so_far, kth + row, 4);
    const auto [low, high, n, above] = bracket_kth(rank, whole, count, k, least_so_far);
    int32_t least = not_finite;
    if (n == k) {  // exactly k are above `low`
      ivec smallest = ivec{} + not_finite;
      int64_t to = 0;
      for (int64_t i = 0; i < whole; i += W) {
        const ivec r = *(const ivec_unaligned*)(rank + i), l = *(const ivec_unaligned*)(latent + i);
        const ivec keep = r > low;
        smallest = keep & (r < smallest) ? r : smallest;
        to += keep_lanes(mask_bits(keep), r, l, rank + to, latent + to);
      }
      for (int i = 0; i < W; i++) least = std::min(least, smallest[i]);
    } else {  // `high` is the k-th rank; those that tie with it fill up, lowest latent first
      int64_t ties = k - above, to = 0;
      for (int64_t i = 0; i < count; i++) {
        const int32_t r = rank[i];
        const bool tie = r == high && ties > 0;
        ties -= tie;
        rank[to] = r;
        latent[to] = latent[i];
        to += r > high || tie;
      }
      least = high;
    }
    counts[row] = int32_t(k);
    std::memcpy(kth + row, &least, 4);
  }

  void operator()(int64_t row, int rows, int64_t column, int columns, const float* tile) const {
    vec shift[NV];
    for (int v = 0; v < NV; v++) shift[v] = load(bias + column + v * W);
    for (int i = 0; i < rows; i++, row++) {
      const vec limit = broadcast(kth[row]);
      int64_t at = row * capacity + counts[row];
      for (int v = 0; v < NV; v++) {
        const vec z = *(const vec*)(tile + i * NR + v * W) + shift[v];
        const unsigned bits = mask_bits(~(ivec)(z <= limit)) & real_lanes(columns - v * W);
        const ivec rank = (ivec)z & 0x7fffffff;  // the sign of a NaN may be set
        at += keep_lanes(bits, rank < not_finite ? rank : ivec{} + not_finite, lanes + int32_t(column + v * W),
                         ranks + at, latents + at);
      }
      counts[row] = int32_t(at - row * capacity);
      if (counts[row] > capacity - NR - W) shrink(row);
    }
  }

  // The k chosen of a row by ascending latent; zeros at the lowest latents that are left fill it up.
  void finish(int64_t row, int32_t* indices, float* values) const {
    if (counts[row] > k) shrink(row);
    const int32_t *rank = ranks + row * capacity, *latent = latents + row * capacity;
    const int64_t found = counts[row];
    int64_t padding = k - found, taken = 0;
    for (int32_t next = 0, j = 0; j < k; next++) {
      if (padding == 0) next = latent[taken];
      const bool fires = taken < found && latent[taken] == next;
      indices[j] = next;
      values[j++] = fires ? value_of(rank[taken]) : 0.0f;
      taken += fires;
      padding -= !fires;
    }
  }
};

}  // namespace lazyscope
