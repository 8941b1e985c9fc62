// The list of all pre-activations above a threshold, as an epilogue of the product.
#pragma once

#include <atomic>

#include "selection.h"

namespace lazyscope {

// Lists of entries that grow a page at a time, so that rows may differ and nothing is allocated under way.
struct Pages {
  static constexpr int64_t size = 128;
  int32_t* latents;  // [pages][size]
  float* values;
  int32_t* counts;  // [pages]
  int32_t* next;    // [pages]: the page before this one in its row
  int32_t* row;     // [pages]
  int32_t* last;    // [rows]: the page being filled, −1 before the first
  int64_t limit;
  std::atomic<int64_t> used{0};
  // More pages were wanted than there are: the lists are of no use.
  std::atomic<bool> overflow{false};

  bool full() const { return overflow.load(std::memory_order_relaxed); }

  // Appends the lanes whose bits are set. A row belongs to one thread at a time.
  void add(int64_t of_row, unsigned bits, ivec value, ivec latent) {
    int32_t page = last[of_row];
    if (page < 0 || counts[page] > size - W) {
      const int64_t fresh = used.fetch_add(1, std::memory_order_relaxed);
      if (fresh >= limit) {
        overflow.store(true, std::memory_order_relaxed);
        return;
      }
      next[fresh] = page;
      counts[fresh] = 0;
      row[fresh] = int32_t(of_row);
      last[of_row] = page = int32_t(fresh);
    }
    const int64_t at = page * size + counts[page];
    counts[page] += keep_lanes(bits, value, latent, (int32_t*)values + at, latents + at);
  }
};

// θ, and θ − ε/2, above which a pre-activation is listed [latents, padded]. An entry that does not fire is there only to
// be counted in its threshold's gradient: its value is θ, so that none need be found out.
struct Window {
  const float *threshold, *lower;

  // The value of an entry, or of a vector of them.
  template <class T>
  static T listed(T z, T threshold) {
    return z <= threshold ? threshold : z;
  }
};

struct Threshold {
  const float* bias;  // padded
  Window window;
  Pages* pages;

  void operator()(int64_t row, int rows, int64_t column, int columns, const float* tile) const {
    if (pages->full()) return;
    vec shift[NV], limit[NV], threshold[NV];
    for (int v = 0; v < NV; v++) {
      shift[v] = load(bias + column + v * W);
      limit[v] = load(window.lower + column + v * W);
      threshold[v] = load(window.threshold + column + v * W);
    }
    for (int i = 0; i < rows; i++, row++)
      for (int v = 0; v < NV; v++) {
        const vec z = *(const vec*)(tile + i * NR + v * W) + shift[v];
        const unsigned bits = mask_bits(~(ivec)(z <= limit[v])) & real_lanes(columns - v * W);
        if (bits) pages->add(row, bits, (ivec)Window::listed(z, threshold[v]), lanes + int32_t(column + v * W));
      }
  }
};

}  // namespace lazyscope
