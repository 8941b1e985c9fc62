// Encoders: the product x·W_encᵀ + b with the choice of latents made on each finished piece of it, so that the
// pre-activations z [rows, latents] never reach memory.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

#include "fusedLanes.h"
#include "fusedRows.h"
#include "gemm.h"

namespace lazyscope {
namespace {

// x − centre, in memory that lasts until this thread's next call; x itself without a centre.
const float* centred(const float* x, const float* centre, int64_t rows, int64_t d) {
  if (!centre) return x;
  thread_local std::vector<float> buffer;
  float* out = at_least(buffer, rows * d);
  parallel_for(0, rows, 64, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; row++)
      for (int64_t j = 0; j < d; j++) out[row * d + j] = x[row * d + j] - centre[j];
  });
  return out;
}

// The lanes of a vector that are columns of the result: those beyond it may be NaN when the input is.
inline unsigned real_lanes(int64_t left) { return left >= W ? ~0u : left <= 0 ? 0u : (1u << left) - 1; }

// Padded to whole tiles, so that vectors can be loaded past the end.
const float* padded(std::vector<float>& buffer, const float* values, int64_t count) {
  float* out = at_least(buffer, count + NR);
  std::memcpy(out, values, count * sizeof(float));
  std::fill(out + count, out + count + NR, 0.0f);
  return out;
}

// Candidates of a row, in ascending order of latent. A rank is the bits of a positive float, which sort as the float
// does; whatever is not finite ranks highest.
constexpr int32_t not_finite = 0x7f800000;

inline float value_of(int32_t rank) {
  if (rank == not_finite) return std::numeric_limits<float>::quiet_NaN();
  float z;
  std::memcpy(&z, &rank, 4);
  return z;
}

struct TopK {
  const float* bias;  // padded
  int64_t k, capacity;
  int32_t* ranks;    // [rows][capacity]
  int32_t* latents;  // [rows][capacity]
  int32_t* counts;   // [rows]
  float* kth;        // [rows]: nothing at or below this can still be chosen

  // Keeps the k best of a row, in their order. The k-th rank is found by bisection, counting in vectors: hardly a
  // branch depends on the data.
  void shrink(int64_t row) const {
    int32_t *rank = ranks + row * capacity, *latent = latents + row * capacity;
    const int64_t count = counts[row];
    const int64_t whole = (count + W - 1) / W * W;
    for (int64_t i = count; i < whole; i++) rank[i] = 0;
    int32_t low, high = 0;  // count(rank > low) >= k > count(rank > high)
    std::memcpy(&low, kth + row, 4);
    low = std::max(low - 1, 0);  // what ties with the k-th so far is still here
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

// Lists of entries that grow a page at a time, so that rows may differ and nothing is allocated under way.
struct Pages {
  static constexpr int64_t size = 128;
  int32_t* latents;  // [pages][size]
  float* values;
  int32_t* counts;  // [pages]
  int32_t* next;    // [pages]: the page before this one in its row
  int64_t limit;
  std::atomic<int64_t> used{0};
};

struct Threshold {
  const float* bias;   // padded
  const float* lower;  // θ − ε/2, padded
  Pages* pages;
  int32_t* last;  // [rows]: the page being filled, −1 before the first
  std::atomic<bool>* overflow;

  void operator()(int64_t row, int rows, int64_t column, int columns, const float* tile) const {
    if (overflow->load(std::memory_order_relaxed)) return;
    vec shift[NV], limit[NV];
    for (int v = 0; v < NV; v++) {
      shift[v] = load(bias + column + v * W);
      limit[v] = load(lower + column + v * W);
    }
    for (int i = 0; i < rows; i++, row++) {
      for (int v = 0; v < NV; v++) {
        const vec z = *(const vec*)(tile + i * NR + v * W) + shift[v];
        const unsigned bits = mask_bits(~(ivec)(z <= limit[v])) & real_lanes(columns - v * W);
        if (!bits) continue;
        int32_t page = last[row];
        if (page < 0 || pages->counts[page] > Pages::size - W) {
          const int64_t fresh = pages->used.fetch_add(1, std::memory_order_relaxed);
          if (fresh >= pages->limit) {
            overflow->store(true, std::memory_order_relaxed);
            return;
          }
          pages->next[fresh] = page;
          pages->counts[fresh] = 0;
          last[row] = page = int32_t(fresh);
        }
        const int64_t at = page * Pages::size + pages->counts[page];
        pages->counts[page] += keep_lanes(bits, (ivec)z, lanes + int32_t(column + v * W),
                                          (int32_t*)pages->values + at, pages->latents + at);
      }
    }
  }
};

thread_local std::vector<float> bias_buffer, lower_buffer, page_values;
thread_local std::vector<int32_t> last_buffer, page_latents, page_next, page_counts;

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

// The k largest positive pre-activations of each row, by ascending latent, filled up with zeros: indices and
// values [rows, k]. `among` (ascending, `among_count` of them) restricts the choice; null means all latents.
void lazyscope_topk_encode(const float* x, const float* centre, const float* w, const float* b, const int32_t* among,
                           int64_t among_count, int64_t rows, int64_t d, int64_t latents, int64_t k, int32_t* indices,
                           float* values) {
  if (rows <= 0 || k <= 0) return;
  thread_local std::vector<float> w_buffer, b_buffer, kth_buffer;
  thread_local std::vector<int32_t> ranks_buffer, latents_buffer, counts_buffer;
  if (among) {
    float* rows_of = at_least(w_buffer, among_count * d);
    float* biases = at_least(b_buffer, among_count);
    parallel_for(0, among_count, 64, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; i++) {
        std::memcpy(rows_of + i * d, w + among[i] * d, d * sizeof(float));
        biases[i] = b[among[i]];
      }
    });
    w = rows_of;
    b = biases;
    latents = among_count;
  }
  const int64_t capacity = (std::max<int64_t>(3 * k, k + 64) + NR + 2 * W) / W * W;
  const TopK select{padded(bias_buffer, b, latents), k, capacity, at_least(ranks_buffer, rows * capacity),
                    at_least(latents_buffer, rows * capacity), at_least(counts_buffer, rows),
                    at_least(kth_buffer, rows)};
  std::fill(select.counts, select.counts + rows, 0);
  std::fill(select.kth, select.kth + rows, 0.0f);
  gemm_tiles(rows, latents, d, {centred(x, centre, rows, d), d, false}, {w, d, true}, select, Split::rows);
  parallel_for(0, rows, 64, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; row++) {
      select.finish(row, indices + row * k, values + row * k);
      if (among)
        for (int64_t j = 0; j < k; j++) indices[row * k + j] = among[indices[row * k + j]];
    }
  });
}

// Finds every latent with z > lower (lower null: 0). Returns how many there are in all, kept until
// lazyscope_threshold_take fetches them; −1 when there are more than `limit` (the list is then given up).
int64_t lazyscope_threshold_encode(const float* x, const float* centre, const float* w, const float* b,
                                   const float* lower, int64_t rows, int64_t d, int64_t latents, int64_t limit) {
  Pages pages;
  pages.limit = limit / (Pages::size - W) + 2 * rows;
  pages.latents = at_least(page_latents, pages.limit * Pages::size);
  pages.values = at_least(page_values, pages.limit * Pages::size);
  pages.next = at_least(page_next, pages.limit);
  pages.counts = at_least(page_counts, pages.limit);
  std::atomic<bool> overflow{false};
  float* low = at_least(lower_buffer, latents + NR);
  if (lower) std::memcpy(low, lower, latents * sizeof(float));
  std::fill(lower ? low + latents : low, low + latents + NR, 0.0f);
  const Threshold select{padded(bias_buffer, b, latents), low, &pages, at_least(last_buffer, rows),
                         &overflow};
  std::fill(select.last, select.last + rows, -1);
  gemm_tiles(rows, latents, d, {centred(x, centre, rows, d), d, false}, {w, d, true}, select, Split::rows);
  if (overflow) return -1;
  int64_t total = 0;
  for (int64_t page = 0; page < pages.used; page++) total += pages.counts[page];
  return total > limit ? -1 : total;
}

// The entries found by the call before, row by row: row_start [rows + 1], indices and values [entries].
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

// On how many of the rows' (row, latent) pairs z > lower: what the choice between list and matrix rests on.
int64_t lazyscope_threshold_count(const float* x, const float* centre, const float* w, const float* b,
                                  const float* lower, int64_t rows, int64_t d, int64_t latents) {
  std::atomic<int64_t> total{0};
  const float* from = centred(x, centre, rows, d);
  auto count = [&](int64_t, int n, int64_t column, int columns, const float* tile) {
    int64_t mine = 0;
    for (int i = 0; i < n; i++)
      for (int j = 0; j < columns; j++)
        mine += fires(tile[i * NR + j] + b[column + j], lower ? lower[column + j] : 0.0f);
    total += mine;
  };
  gemm_tiles(rows, latents, d, {from, d, false}, {w, d, true}, count);
  return total;
}

// z [rows, latents], every one.
void lazyscope_dense_encode(const float* x, const float* centre, const float* w, const float* b, int64_t rows, int64_t d,
                            int64_t latents, float* z) {
  product(rows, latents, d, {centred(x, centre, rows, d), d, false}, {w, d, true},
          {z, latents, 1.0f, 0.0f, b, false});
}
}
