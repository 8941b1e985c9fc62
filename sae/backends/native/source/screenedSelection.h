// The choice of latents by screening, as epilogues of the product of integers, and their second half: what was left
// possible gets its pre-activation in floats, and the choice is made among those.
#pragma once

#include "fusedRows.h"
#include "screening.h"
#include "thresholdSelection.h"
#include "topKSelection.h"

namespace lazyscope {

// Keeps, of each row, every latent whose upper bound reaches the k-th largest lower bound: the k largest are among them.
struct ScreenedTopK {
  LatentBounds bounds;
  RoundedRows x;
  // Shares its lists with `choice`: first of candidates, ranked by lower bounds (0 where they are not positive).
  TopK choice;
  float* uppers;  // [rows][capacity]

  static constexpr int32_t given_up = -1;

  // False when the candidates are still too many.
  bool shrink(int64_t row) const {
    const int64_t at = row * choice.capacity;
    int32_t *rank = choice.ranks + at, *latent = choice.latents + at;
    float* upper = uppers + at;
    const int64_t count = choice.counts[row], whole = pad_ranks(rank, count);
    int32_t least;
    std::memcpy(&least, choice.kth + row, 4);
    const auto [low, high, n, above] = bracket_kth(rank, whole, count, choice.k, least);
    least = high;
    if (n == choice.k)
      for (int64_t i = 0; i < count; i++)
        if (rank[i] > low) least = std::min(least, rank[i]);
    std::memcpy(choice.kth + row, &least, 4);
    const vec limit = broadcast(choice.kth[row]);
    int64_t to = 0;
    for (int64_t i = 0; i < count; i += W) {
      const vec u = load(upper + i);
      const ivec r = *(const ivec_unaligned*)(rank + i), l = *(const ivec_unaligned*)(latent + i);
      const unsigned bits = mask_bits(~(ivec)(u < limit)) & real_lanes(count - i);
      keep_lanes(bits, (ivec)u, l, (int32_t*)upper + to, latent + to);
      to += keep_lanes(bits, r, l, rank + to, latent + to);
    }
    choice.counts[row] = int32_t(to);
    return to <= choice.capacity - 2 * W;
  }

  void operator()(int64_t first, int rows, int64_t column, int columns, const float* tile) const {
    for (int v = 0; v < NV; v++, column += W, columns -= W) {
      const Screen screen(bounds, column);
      const unsigned real = real_lanes(columns);
      for (int i = 0; i < rows; i++) {
        const int64_t row = first + i;
        const vec z = screen.pre_activation(tile + i * NR + v * W, x.inverse[row]);
        const vec bound = screen.bound(x.norm[row], x.residual[row]);
        const vec upper = z + bound, lower = z - bound;
        const unsigned bits = mask_bits(~(ivec)(upper < broadcast(choice.kth[row]))) & real;
        if (bits) add(row, bits, lower, upper, lanes + int32_t(column));
      }
    }
  }

  void add(int64_t row, unsigned bits, vec lower, vec upper, ivec latent) const {
    if (choice.counts[row] == given_up) return;
    const int64_t at = row * choice.capacity + choice.counts[row];
    keep_lanes(bits, (ivec)upper, latent, (int32_t*)uppers + at, choice.latents + at);
    choice.counts[row] += keep_lanes(bits, (ivec)lower & (lower > vec{}), latent, choice.ranks + at, choice.latents + at);
    if (choice.counts[row] > choice.capacity - 2 * W && !shrink(row)) choice.counts[row] = given_up;
  }

  // What at least `part` of the row's latents are sure to reach; 0 where fewer are sure to be positive.
  float surely(int64_t row, int64_t part) const {
    if (choice.counts[row] > choice.k) shrink(row);
    const int64_t count = choice.counts[row];
    if (count < part) return 0;
    int32_t* rank = choice.ranks + row * choice.capacity;
    int64_t positive = 0;
    for (int64_t i = 0; i < count; i++) positive += rank[i] > 0;
    if (positive < part) return 0;
    const auto [low, high, n, above] = bracket_kth(rank, pad_ranks(rank, count), count, part, 0);
    int32_t least = high;
    if (n == part) {
      least = std::numeric_limits<int32_t>::max();
      for (int64_t i = 0; i < count; i++)
        if (rank[i] > low) least = std::min(least, rank[i]);
    }
    float bar;
    std::memcpy(&bar, &least, 4);
    return bar;
  }

  // Takes out of the row's candidates those that can't reach the bar.
  void drop_below(int64_t row, float bar) const {
    const int64_t count = choice.counts[row];
    if (count == given_up) return;
    int32_t* latent = choice.latents + row * choice.capacity;
    float* upper = uppers + row * choice.capacity;
    int64_t to = 0;
    for (int64_t i = 0; i < count; i += W) {
      const vec u = load(upper + i);
      const ivec l = *(const ivec_unaligned*)(latent + i);
      const unsigned bits = mask_bits(~(ivec)(u < broadcast(bar))) & real_lanes(count - i);
      to += keep_lanes(bits, (ivec)u, l, (int32_t*)upper + to, latent + to);
    }
    choice.counts[row] = int32_t(to);
  }

  // Leaves in `choice` what is positive of the row's candidates that can reach the bar, as its own epilogue would have. False when the
  // row was given up.
  bool settle(int64_t row, const float* of_row, const float* w, int64_t d, float bar) const {
    if (bar > 0) drop_below(row, bar);
    else if (choice.counts[row] > choice.k) shrink(row);
    if (choice.counts[row] == given_up) return false;
    thread_local Buffer<float> buffer;
    float* dots = at_least(buffer, choice.capacity);
    const int64_t at = row * choice.capacity, count = choice.counts[row];
    int32_t *rank = choice.ranks + at, *latent = choice.latents + at;
    exact_dots(of_row, w, d, latent, count, dots);
    int64_t to = 0;
    for (int64_t i = 0; i < count; i++) {
      const float z = dots[i] + bounds.bias[latent[i]];
      rank[to] = rank_of(z);
      latent[to] = latent[i];
      to += !(z <= 0.0f);
    }
    choice.counts[row] = int32_t(to);
    choice.kth[row] = 0;
    return true;
  }
};

// Lists every latent whose upper bound exceeds θ − ε/2. Those that are sure to lie between it and θ are done with.
struct ScreenedThreshold {
  LatentBounds bounds;
  RoundedRows x;
  Window window;
  Pages* pages;

  static constexpr float unknown = -std::numeric_limits<float>::infinity();

  void operator()(int64_t first, int rows, int64_t column, int columns, const float* tile) const {
    if (pages->full()) return;
    for (int v = 0; v < NV; v++, column += W, columns -= W) {
      const Screen screen(bounds, column);
      const vec limit = load(window.lower + column), threshold = load(window.threshold + column);
      const unsigned real = real_lanes(columns);
      for (int i = 0; i < rows; i++) {
        const int64_t row = first + i;
        const vec z = screen.pre_activation(tile + i * NR + v * W, x.inverse[row]);
        const vec bound = screen.bound(x.norm[row], x.residual[row]);
        const unsigned bits = mask_bits(~(ivec)(z + bound <= limit)) & real;
        if (!bits) continue;
        const ivec within = (z + bound <= threshold) & (z - bound > limit);
        pages->add(row, bits, (ivec)(within ? threshold : broadcast(unknown)), lanes + int32_t(column));
      }
    }
  }

  // The page's unknown pre-activations in floats; what is not above θ − ε/2 goes.
  void settle(int64_t page, const float* of_row, const float* w, int64_t d) const {
    int32_t* latent = pages->latents + page * Pages::size;
    float* value = pages->values + page * Pages::size;
    const int32_t count = pages->counts[page];
    int32_t sought[Pages::size];
    float found[Pages::size];
    int32_t most = 0, next = 0, to = 0;
    for (int32_t i = 0; i < count; i++)
      if (value[i] == unknown) sought[most++] = latent[i];
    exact_dots(of_row, w, d, sought, most, found);
    for (int32_t i = 0; i < count; i++) {
      const int32_t l = latent[i];
      bool listed = true;
      float known = value[i];
      if (known == unknown) {
        const float z = found[next++] + bounds.bias[l];
        listed = fires(z, window.lower[l]);
        known = Window::listed(z, window.threshold[l]);
      }
      value[to] = known;
      latent[to] = l;
      to += listed;
    }
    pages->counts[page] = to;
  }
};

}  // namespace lazyscope
