// Encoders: the product x·W_encᵀ + b with the choice of latents made on each finished piece of it, so that the
// pre-activations z [rows, latents] never reach memory.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

#include "fusedRows.h"
#include "gemm.h"

namespace lazyscope {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

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

// Padded to whole tiles with a value that no comparison lets through.
const float* padded(std::vector<float>& buffer, const float* values, int64_t count, float fill) {
  float* out = at_least(buffer, count + NR);
  std::memcpy(out, values, count * sizeof(float));
  std::fill(out + count, out + count + NR, fill);
  return out;
}

// A positive candidate as one number that sorts by value, then by lower latent. NaN ranks as +∞ does; the lowest
// bit remembers which it was.
inline uint64_t key_of(float z, int64_t latent) {
  uint32_t bits;
  std::memcpy(&bits, &z, 4);
  const bool nan = z != z;
  if (nan) bits = 0x7f800000u;
  return uint64_t(bits) << 32 | uint64_t(0x7fffffff - latent) << 1 | uint64_t(nan);
}
inline float value_of(uint64_t key) {
  if (key & 1) return std::numeric_limits<float>::quiet_NaN();
  const uint32_t bits = uint32_t(key >> 32);
  float z;
  std::memcpy(&z, &bits, 4);
  return z;
}
inline int32_t latent_of(uint64_t key) { return 0x7fffffff - int32_t(uint32_t(key) >> 1); }

struct TopK {
  const float* bias;  // padded with −∞
  int64_t k, capacity;
  uint64_t* keys;    // [rows][capacity]
  int32_t* counts;   // [rows]
  float* kth;        // [rows]: nothing at or below this can still be chosen

  void shrink(int64_t row) const {
    uint64_t* own = keys + row * capacity;
    std::nth_element(own, own + k - 1, own + counts[row], std::greater<uint64_t>());
    counts[row] = int32_t(k);
    const uint32_t bits = uint32_t(own[k - 1] >> 32);
    std::memcpy(kth + row, &bits, 4);
  }

  void operator()(int64_t row, int rows, int64_t column, int, const float* tile) const {
    vec shift[NV];
    for (int v = 0; v < NV; v++) shift[v] = load(bias + column + v * W);
    for (int i = 0; i < rows; i++, row++) {
      const vec limit = broadcast(kth[row]);
      vec z[NV];
      ivec none = ivec{} - 1;
      for (int v = 0; v < NV; v++) {
        z[v] = *(const vec*)(tile + i * NR + v * W) + shift[v];
        none &= (ivec)(z[v] <= limit);
      }
      if (mask_bits(none) == (1u << W) - 1) continue;
      for (int v = 0; v < NV; v++) {
        unsigned bits = mask_bits(~(ivec)(z[v] <= limit));
        float values[W];
        store(values, z[v]);
        for (; bits; bits &= bits - 1) {
          const int lane = __builtin_ctz(bits);
          keys[row * capacity + counts[row]++] = key_of(values[lane], column + v * W + lane);
        }
      }
      if (counts[row] > capacity - NR) shrink(row);
    }
  }

  // The k chosen of a row by ascending latent; zeros at the lowest latents that are left fill it up.
  void finish(int64_t row, int32_t* indices, float* values) const {
    if (counts[row] > k) shrink(row);
    uint64_t* own = keys + row * capacity;
    const int64_t found = counts[row];
    // By latent: the low words descend as latents ascend.
    std::sort(own, own + found, [](uint64_t a, uint64_t b) { return uint32_t(a) > uint32_t(b); });
    if (found == k) {
      for (int64_t j = 0; j < k; j++) {
        indices[j] = latent_of(own[j]);
        values[j] = value_of(own[j]);
      }
      return;
    }
    int64_t padding = k - found, taken = 0;
    int32_t next = 0;
    for (int64_t j = 0; j < k; next++) {
      if (taken < found && latent_of(own[taken]) == next) {
        indices[j] = next;
        values[j++] = value_of(own[taken++]);
      } else if (padding > 0) {
        indices[j] = next;
        values[j++] = 0.0f;
        padding--;
      } else {
        next = latent_of(own[taken]) - 1;
      }
    }
  }
};

// Lists of entries that grow a page at a time, so that rows may differ and nothing is allocated under way.
struct Pages {
  static constexpr int64_t size = 128;
  int32_t* latents;  // [pages][size]
  float* values;
  int32_t* next;  // [pages]: the page before this one in its row
  int64_t limit;
  std::atomic<int64_t> used{0};
};

struct Threshold {
  const float* bias;   // padded with −∞
  const float* lower;  // θ − ε/2, padded with 0
  Pages* pages;
  int32_t* counts;  // [rows]
  int32_t* last;    // [rows]: the page being filled
  std::atomic<bool>* overflow;

  void operator()(int64_t row, int rows, int64_t column, int, const float* tile) const {
    if (overflow->load(std::memory_order_relaxed)) return;
    vec shift[NV], limit[NV];
    for (int v = 0; v < NV; v++) {
      shift[v] = load(bias + column + v * W);
      limit[v] = load(lower + column + v * W);
    }
    for (int i = 0; i < rows; i++, row++) {
      for (int v = 0; v < NV; v++) {
        const vec z = *(const vec*)(tile + i * NR + v * W) + shift[v];
        unsigned bits = mask_bits(~(ivec)(z <= limit[v]));
        if (!bits) continue;
        float values[W];
        store(values, z);
        for (; bits; bits &= bits - 1) {
          const int lane = __builtin_ctz(bits);
          const int64_t at = counts[row] % Pages::size;
          if (at == 0) {
            const int64_t page = pages->used.fetch_add(1, std::memory_order_relaxed);
            if (page >= pages->limit) {
              overflow->store(true, std::memory_order_relaxed);
              return;
            }
            pages->next[page] = last[row];
            last[row] = int32_t(page);
          }
          const int64_t entry = last[row] * Pages::size + at;
          pages->latents[entry] = int32_t(column + v * W + lane);
          pages->values[entry] = values[lane];
          counts[row]++;
        }
      }
    }
  }
};

thread_local std::vector<float> bias_buffer, lower_buffer, page_values;
thread_local std::vector<int32_t> counts_buffer, last_buffer, page_latents, page_next;

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
  thread_local std::vector<uint64_t> keys_buffer;
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
  const int64_t capacity = std::max<int64_t>(2 * k, k + 32) + NR;
  const TopK select{padded(bias_buffer, b, latents, -infinity), k, capacity, at_least(keys_buffer, rows * capacity),
                    at_least(counts_buffer, rows), at_least(kth_buffer, rows)};
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
  pages.limit = limit / Pages::size + rows;
  pages.latents = at_least(page_latents, pages.limit * Pages::size);
  pages.values = at_least(page_values, pages.limit * Pages::size);
  pages.next = at_least(page_next, pages.limit);
  std::atomic<bool> overflow{false};
  float* low = at_least(lower_buffer, latents + NR);
  if (lower) std::memcpy(low, lower, latents * sizeof(float));
  std::fill(lower ? low + latents : low, low + latents + NR, 0.0f);
  const Threshold select{padded(bias_buffer, b, latents, -infinity), low, &pages, at_least(counts_buffer, rows),
                         at_least(last_buffer, rows), &overflow};
  std::fill(select.counts, select.counts + rows, 0);
  std::fill(select.last, select.last + rows, -1);
  gemm_tiles(rows, latents, d, {centred(x, centre, rows, d), d, false}, {w, d, true}, select, Split::rows);
  if (overflow) return -1;
  int64_t total = 0;
  for (int64_t row = 0; row < rows; row++) total += select.counts[row];
  return total > limit ? -1 : total;
}

// The entries found by the call before, row by row: row_start [rows + 1], indices and values [entries].
void lazyscope_threshold_take(int64_t rows, int32_t* row_start, int32_t* indices, float* values) {
  const int32_t *counts = counts_buffer.data(), *last_page = last_buffer.data(), *next = page_next.data();
  const int32_t* latents = page_latents.data();
  const float* found = page_values.data();
  row_start[0] = 0;
  for (int64_t row = 0; row < rows; row++) row_start[row + 1] = row_start[row] + counts[row];
  parallel_for(0, rows, 64, [&](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; row++) {
      // Pages are linked from the last to the first.
      int64_t left = counts[row];
      for (int32_t page = last_page[row]; page >= 0; page = next[page]) {
        const int64_t size = (left - 1) % Pages::size + 1;
        left -= size;
        const int64_t to = row_start[row] + left;
        std::memcpy(indices + to, latents + page * Pages::size, size * sizeof(int32_t));
        std::memcpy(values + to, found + page * Pages::size, size * sizeof(float));
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
