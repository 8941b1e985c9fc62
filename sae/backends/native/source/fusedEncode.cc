// Encoders: the product x·W_encᵀ + b with the choice of latents made on each finished piece of it, so that the
// pre-activations z [rows, latents] never reach memory.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "gemm.h"
#include "lazyscope.h"
#include "screenedSelection.h"

namespace lazyscope {
namespace {

// x − centre, in memory that lasts until this thread's next call; x itself without a centre.
const float* centred(const float* x, const float* centre, int64_t rows, int64_t d) {
  if (!centre) return x;
  thread_local Buffer<float> buffer;
  float* out = at_least(buffer, rows * d);
  parallel_for(0, rows, 64, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; row++)
      for (int64_t j = 0; j < d; j++) out[row * d + j] = x[row * d + j] - centre[j];
  });
  return out;
}

thread_local Buffer<float> bias_buffer, threshold_buffer, lower_buffer, page_values;
thread_local Buffer<int32_t> last_buffer, page_latents, page_next, page_row, page_counts;
thread_local int64_t pages_used;
thread_local RoundedBuffers rounded_x, rounded_w;
thread_local BoundBuffers bounds;

struct Dictionary {
  const float *w, *b;
  int64_t latents, d;
};

// Lists for `rows` rows, empty.
TopK top_k(const float* bias, int64_t k, int64_t rows, int64_t capacity) {
  thread_local Buffer<float> kth;
  thread_local Buffer<int32_t> ranks, latents, counts;
  const TopK select{bias, k, capacity, at_least(ranks, rows * capacity), at_least(latents, rows * capacity),
                    at_least(counts, rows), at_least(kth, rows)};
  std::fill(select.counts, select.counts + rows, 0);
  std::fill(select.kth, select.kth + rows, 0.0f);
  return select;
}

void choose(const float* x, int64_t rows, const Dictionary& of, int64_t k, int32_t* indices, float* values) {
  const int64_t capacity = (std::max<int64_t>(3 * k, k + 64) + NR + 2 * W) / W * W;
  const TopK select = top_k(padded(bias_buffer, of.b, of.latents), k, rows, capacity);
  gemm_tiles(rows, of.latents, of.d, {x, of.d, false}, {of.w, of.d, true}, select, Split::rows);
  parallel_for(0, rows, 64, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; row++) select.finish(row, indices + row * k, values + row * k);
  });
}

// The candidates of every row, in memory that lasts until this thread's next call.
ScreenedTopK candidates_of(const float* x, int64_t rows, const Dictionary& of, int64_t k) {
  thread_local Buffer<float> uppers;
  const RoundedRows xq = round_rows(rounded_x, x, rows, of.d), wq = round_rows(rounded_w, of.w, of.latents, of.d);
  const int64_t capacity = (std::max<int64_t>(4 * k, k + 128) + NR + 2 * W) / W * W;
  const LatentBounds latent = latent_bounds(bounds, wq, of.b, of.latents, of.d);
  const ScreenedTopK select{latent, xq, top_k(latent.bias, k, rows, capacity), at_least(uppers, rows * capacity)};
  gemm_tiles(rows, of.latents, xq.depth, {xq.pairs, xq.depth, false}, {wq.pairs, wq.depth, true}, select, Split::rows,
             Arithmetic::pairs);
  return select;
}

// What is chosen of them. Those below `bars` [rows] need not be (null: all may have to).
void choose_of(const ScreenedTopK& select, const float* x, int64_t rows, const Dictionary& of, const float* bars,
               int32_t* indices, float* values) {
  thread_local Buffer<float> rows_buffer, values_buffer;
  thread_local Buffer<int32_t> indices_buffer;
  const int64_t k = select.choice.k;
  std::atomic<int64_t> given_up{0};
  parallel_for(0, rows, 32, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; row++)
      if (select.settle(row, x + row * of.d, of.w, of.d, bars ? bars[row] : 0.0f))
        select.choice.finish(row, indices + row * k, values + row * k);
      else
        given_up++;
  });
  if (given_up == 0) return;
  // Rows that the bounds could not narrow down are chosen from in full, at least so many that their sums run in the
  // same order.
  if (given_up > rows / 8) screening_wasted();
  const int64_t n = std::max<int64_t>(given_up, gemm::FEW + 1);
  float* again = at_least(rows_buffer, n * of.d);
  std::vector<int64_t> which;
  for (int64_t row = 0; row < rows; row++)
    if (select.choice.counts[row] == ScreenedTopK::given_up) which.push_back(row);
  for (int64_t i = 0; i < n; i++)
    std::memcpy(again + i * of.d, x + which[std::min<int64_t>(i, which.size() - 1)] * of.d, of.d * sizeof(float));
  int32_t* their_indices = at_least(indices_buffer, n * k);
  float* their_values = at_least(values_buffer, n * k);
  choose(again, n, of, k, their_indices, their_values);
  for (size_t i = 0; i < which.size(); i++) {
    std::memcpy(indices + which[i] * k, their_indices + i * k, k * sizeof(int32_t));
    std::memcpy(values + which[i] * k, their_values + i * k, k * sizeof(float));
  }
}

// The rows of W_enc that are chosen among, in memory that lasts until this thread's next call; W_enc itself for all.
Dictionary dictionary_of(const LazyscopeEncoder& encoder, const int32_t* among, int64_t among_count) {
  const float *w = encoder.w, *b = encoder.b;
  const int64_t d = encoder.d;
  if (!among) return {w, b, encoder.latents, d};
  thread_local Buffer<float> w_buffer, b_buffer;
  float* rows_of = at_least(w_buffer, among_count * d);
  float* biases = at_least(b_buffer, among_count);
  parallel_for(0, among_count, 64, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) {
      std::memcpy(rows_of + i * d, w + among[i] * d, d * sizeof(float));
      biases[i] = b[among[i]];
    }
  });
  return {rows_of, biases, among_count, d};
}

void name_latents(const int32_t* among, int64_t count, int32_t* indices) {
  if (!among) return;
  parallel_for(0, count, 4096, [&](int64_t first, int64_t last) {
    for (int64_t j = first; j < last; j++) indices[j] = among[indices[j]];
  });
}

// What lazyscope_topk_screen leaves for lazyscope_topk_settle.
struct Screened {
  ScreenedTopK select;
  Dictionary of;
  const float* x;
  int64_t rows;
};
thread_local Screened screened;

// Padded to whole tiles. No thresholds are thresholds of 0; one that is NaN is infinite, so that nothing is above it.
Window window_of(const float* threshold, float bandwidth, int64_t latents) {
  float* own = at_least(threshold_buffer, latents + NR);
  float* lower = at_least(lower_buffer, latents + NR);
  for (int64_t i = 0; i < latents + NR; i++) {
    const float theta = threshold && i < latents ? threshold[i] : 0.0f;
    own[i] = std::isnan(theta) ? std::numeric_limits<float>::infinity() : theta;
    // Nothing fires above a θ that is NaN but NaN; below ∞, so that a row whose bounds are infinite stays a candidate.
    lower[i] = std::isnan(theta) ? std::numeric_limits<float>::max() : own[i] - bandwidth / 2;
  }
  return {own, lower};
}

void list_screened(const float* x, int64_t rows, const Dictionary& of, const Window& window, Pages& pages) {
  const RoundedRows xq = round_rows(rounded_x, x, rows, of.d), wq = round_rows(rounded_w, of.w, of.latents, of.d);
  const ScreenedThreshold select{latent_bounds(bounds, wq, of.b, of.latents, of.d), xq, window, &pages};
  gemm_tiles(rows, of.latents, xq.depth, {xq.pairs, xq.depth, false}, {wq.pairs, wq.depth, true}, select, Split::rows,
             Arithmetic::pairs);
  if (pages.full()) return;
  std::atomic<int64_t> candidates{0}, entries{0};
  parallel_for(0, pages.used, 16, [&](int64_t first, int64_t last) {
    int64_t before = 0, after = 0;
    for (int64_t page = first; page < last; page++) {
      before += pages.counts[page];
      select.settle(page, x + int64_t(pages.row[page]) * of.d, of.w, of.d);
      after += pages.counts[page];
    }
    candidates += before;
    entries += after;
  });
  if (candidates > 2 * entries + 64 * rows) screening_wasted();
}

struct Cut {
  int32_t rank;
  int64_t ties;  // how many of this rank are among the largest
};

// The rank of the last of the `count` largest entries that were listed, or of all if there are fewer; 0 if there is none.
// By two digits, of 15 and 16 bits.
Cut rank_of_largest(int64_t count) {
  constexpr int low_bits = 16;
  thread_local Buffer<int32_t> bins_buffer;
  int32_t* bins = at_least(bins_buffer, 1 << low_bits);
  int32_t rank = 0;
  int64_t wanted = count;
  for (const int shift : {low_bits, 0}) {
    const int32_t bin_count = shift > 0 ? 1 << (31 - low_bits) : 1 << low_bits;
    std::fill(bins, bins + bin_count, 0);
    int64_t total = 0;
    for (int64_t page = 0; page < pages_used; page++)
      for (int32_t i = 0; i < page_counts[page]; i++) {
        const int32_t r = rank_of(page_values[page * Pages::size + i]);
        if (shift == 0 && r >> low_bits != rank >> low_bits) continue;
        bins[shift > 0 ? r >> low_bits : r & ((1 << low_bits) - 1)]++;
        total++;
      }
    wanted = std::min(wanted, total);
    if (wanted == 0) return {0, 0};
    int32_t bin = bin_count - 1;
    while (bins[bin] < wanted) wanted -= bins[bin--];
    rank |= bin << shift;
  }
  return {rank, wanted};
}

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

void lazyscope_topk_encode(const LazyscopeEncoder* encoder, const int32_t* among, int64_t among_count, int64_t k,
                           int32_t screening, int32_t* indices, float* values) {
  const int64_t rows = encoder->rows;
  if (rows <= 0 || k <= 0) return;
  const Dictionary of = dictionary_of(*encoder, among, among_count);
  const float* from = centred(encoder->x, encoder->centre, rows, of.d);
  if (screens(screening, rows, of.d, of.latents, k))
    choose_of(candidates_of(from, rows, of, k), from, rows, of, nullptr, indices, values);
  else choose(from, rows, of, k, indices, values);
  name_latents(among, rows * k, indices);
}

int32_t lazyscope_topk_screen(const LazyscopeEncoder* encoder, const int32_t* among, int64_t among_count, int64_t k,
                              int64_t part, int32_t screening, float* bars) {
  const int64_t rows = encoder->rows, latents = among ? among_count : encoder->latents;
  if (rows <= 0 || k <= 0 || !screens(screening, rows, encoder->d, latents, k)) return 0;
  const Dictionary of = dictionary_of(*encoder, among, among_count);
  const float* from = centred(encoder->x, encoder->centre, rows, of.d);
  screened = {candidates_of(from, rows, of, k), of, from, rows};
  parallel_for(0, rows, 32, [&, select = screened.select](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; row++) bars[row] = select.surely(row, part);
  });
  return 1;
}

void lazyscope_topk_settle(const int32_t* among, const float* bars, int32_t* indices, float* values) {
  choose_of(screened.select, screened.x, screened.rows, screened.of, bars, indices, values);
  name_latents(among, screened.rows * screened.select.choice.k, indices);
}

int64_t lazyscope_threshold_encode(const LazyscopeEncoder* encoder, const float* threshold, float bandwidth,
                                   int64_t limit, int64_t expected, int32_t screening) {
  const float *x = encoder->x, *centre = encoder->centre, *w = encoder->w, *b = encoder->b;
  const int64_t rows = encoder->rows, d = encoder->d, latents = encoder->latents;
  Pages pages;
  pages.limit = limit / (Pages::size - W) + 2 * rows;
  pages.latents = at_least(page_latents, pages.limit * Pages::size);
  pages.values = at_least(page_values, pages.limit * Pages::size);
  pages.next = at_least(page_next, pages.limit);
  pages.row = at_least(page_row, pages.limit);
  pages.counts = at_least(page_counts, pages.limit);
  pages.last = at_least(last_buffer, rows);
  std::fill(pages.last, pages.last + rows, -1);
  const Window window = window_of(threshold, bandwidth, latents);
  const float* from = centred(x, centre, rows, d);
  if (screens(screening, rows, d, latents, expected)) {
    list_screened(from, rows, {w, b, latents, d}, window, pages);
  } else {
    const Threshold select{padded(bias_buffer, b, latents), window, &pages};
    gemm_tiles(rows, latents, d, {from, d, false}, {w, d, true}, select, Split::rows);
  }
  if (pages.full()) return -1;
  pages_used = pages.used;
  int64_t total = 0;
  for (int64_t page = 0; page < pages.used; page++) total += pages.counts[page];
  return total > limit ? -1 : total;
}

void lazyscope_threshold_take(int64_t rows, int32_t* row_start, int32_t* indices, float* values) {
  const int32_t *counts = page_counts.data(), *last_page = last_buffer.data(), *next = page_next.data();
  const int32_t* latents = page_latents.data();
  const float* found = page_values.data();
  row_start[0] = 0;
  for (int64_t row = 0; row < rows; row++) {
    int32_t count = 0;
    for (int32_t page = last_page[row]; page >= 0; page = next[page]) count += counts[page];
    row_start[row + 1] = row_start[row] + count;
  }
  parallel_for(0, rows, 64, [&](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; row++) {
      // Pages are linked from the last to the first.
      int64_t to = row_start[row + 1];
      for (int32_t page = last_page[row]; page >= 0; page = next[page]) {
        to -= counts[page];
        std::memcpy(indices + to, latents + page * Pages::size, counts[page] * sizeof(int32_t));
        std::memcpy(values + to, found + page * Pages::size, counts[page] * sizeof(float));
      }
    }
  });
}

double lazyscope_largest_take(int64_t rows, int64_t count, int32_t* row_start, int32_t* indices, float* values) {
  const int32_t *counts = page_counts.data(), *last_page = last_buffer.data(), *next = page_next.data();
  const int32_t* latents = page_latents.data();
  const float* found = page_values.data();
  thread_local Buffer<int32_t> quota_buffer, equal_buffer;
  auto [cut, ties] = rank_of_largest(count);
  int32_t *quotas = at_least(quota_buffer, rows), *equals = at_least(equal_buffer, rows);
  parallel_for(0, rows, 64, [&, cut = cut](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; row++) {
      int32_t above = 0, equal = 0;
      for (int32_t page = last_page[row]; page >= 0; page = next[page])
        for (int32_t i = 0; i < counts[page]; i++) {
          const int32_t rank = rank_of(found[page * Pages::size + i]);
          above += rank > cut;
          equal += rank == cut;
        }
      row_start[row + 1] = above;
      equals[row] = equal;
    }
  });
  row_start[0] = 0;
  for (int64_t row = 0; row < rows; row++) {
    // How many entries that tie with the cut the row keeps.
    quotas[row] = int32_t(std::min<int64_t>(equals[row], ties));
    ties -= quotas[row];
    row_start[row + 1] += row_start[row] + quotas[row];
  }
  parallel_for(0, rows, 64, [&, cut = cut](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; row++) {
      // Pages are linked from the last to the first, and so are entries visited: of ties the last are left out.
      int64_t to = row_start[row + 1];
      int32_t surplus = equals[row] - quotas[row];
      for (int32_t page = last_page[row]; page >= 0; page = next[page])
        for (int32_t i = counts[page] - 1; i >= 0; i--) {
          const int32_t rank = rank_of(found[page * Pages::size + i]);
          if (rank < cut || (rank == cut && surplus-- > 0)) continue;
          to--;
          indices[to] = latents[page * Pages::size + i];
          values[to] = value_of(rank);
        }
    }
  });
  return cut == 0 ? 0.0 : double(value_of(cut));
}

int64_t lazyscope_threshold_count(const LazyscopeEncoder* encoder, const float* threshold, float bandwidth) {
  const float *x = encoder->x, *centre = encoder->centre, *w = encoder->w, *b = encoder->b;
  const int64_t rows = encoder->rows, d = encoder->d, latents = encoder->latents;
  std::atomic<int64_t> total{0};
  const float* from = centred(x, centre, rows, d);
  const Window window = window_of(threshold, bandwidth, latents);
  auto count = [&](int64_t, int n, int64_t column, int columns, const float* tile) {
    int64_t mine = 0;
    for (int i = 0; i < n; i++)
      for (int j = 0; j < columns; j++) mine += fires(tile[i * NR + j] + b[column + j], window.lower[column + j]);
    total += mine;
  };
  gemm_tiles(rows, latents, d, {from, d, false}, {w, d, true}, count);
  return total;
}

void lazyscope_dense_encode(const LazyscopeEncoder* encoder, float* z) {
  const float *x = encoder->x, *centre = encoder->centre, *w = encoder->w, *b = encoder->b;
  const int64_t rows = encoder->rows, d = encoder->d, latents = encoder->latents;
  product(rows, latents, d, {centred(x, centre, rows, d), d, false}, {w, d, true},
          {z, latents, 1.0f, 0.0f, b, false});
}
}
