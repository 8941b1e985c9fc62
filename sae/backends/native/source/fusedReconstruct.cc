// Products with a sparse [rows, latents] matrix given as a list of entries (row_start, indices, values): only the
// rows of W that are named are touched, and they are used again while they are in cache.
#include <algorithm>
#include <cstring>
#include <vector>

#include "entriesByLatent.h"
#include "gemm.h"
#include "lazyscope.h"

namespace lazyscope {
namespace {

constexpr int group = 64;  // entries whose rows are looked up together
constexpr int64_t grain = 16;
// Entries a row above which their dots are taken latent by latent: where rows of W have just been decoded, and where they have not.
constexpr int64_t many_entries = 128, many_alone = 40;

// out += Σ f·W[i] over the entries of a row, f = z where it fires.
void decode_row(const int32_t* indices, const float* values, int64_t count, const float* threshold, bool fire_only,
                const float* w, int64_t d, float* out) {
  const float* rows[group];
  float f[group];
  for (int64_t e = 0; e < count;) {
    int n = 0;
    for (; e < count && n < group; e++) {
      if (fire_only && !fires(values[e], threshold ? threshold[indices[e]] : 0.0f)) continue;
      rows[n] = w + indices[e] * d;
      f[n++] = values[e];
    }
    add_rows(out, rows, f, n, d);
  }
}

void dots_row(const int32_t* indices, int64_t count, const float* g, const float* w, int64_t d, float* out) {
  const float* rows[group];
  for (int64_t e = 0; e < count; e += group) {
    const int n = int(std::min<int64_t>(group, count - e));
    for (int i = 0; i < n; i++) rows[i] = w + indices[e + i] * d;
    dot_rows(g, rows, n, d, out + e);
  }
}

// dots [entries] = g·W at the entries, latent by latent: where rows name many latents each, W is read once in order
// and it is the rows of g, of which there are fewer, that are visited from cache.
void dots_by_latent(const int32_t* row_start, const int32_t* indices, const float* g, const float* w, int64_t rows,
                    int64_t d, int64_t latents, float* dots) {
  thread_local SortBuffers sort_buffers;
  thread_local Buffer<int32_t> row_buffer, entry_buffer;
  int32_t* row_of = at_least(row_buffer, row_start[rows]);
  int32_t* entry = at_least(entry_buffer, row_start[rows]);
  const int64_t* start =
      sort_by_latent(sort_buffers, row_start, indices, rows, latents, [=](int64_t to, int64_t e, int64_t row) {
        row_of[to] = int32_t(row);
        entry[to] = int32_t(e);
      });
  parallel_for(0, latents, grain, [&](int64_t first, int64_t last) {
    const float* from[group];
    float found[group];
    for (int64_t i = first; i < last; i++)
      for (int64_t e = start[i]; e < start[i + 1]; e += group) {
        const int n = int(std::min<int64_t>(group, start[i + 1] - e));
        for (int t = 0; t < n; t++) from[t] = g + row_of[e + t] * d;
        dot_rows(w + i * d, from, n, d, found);
        for (int t = 0; t < n; t++) dots[entry[e + t]] = found[t];
      }
  });
}

double square_sum(const float* x, int64_t d) {
  double s = 0;
  for (int64_t j = 0; j < d; j++) s += double(x[j]) * x[j];
  return s;
}

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

void lazyscope_sparse_decode(const int32_t* row_start, const int32_t* indices, const float* values, const float* w,
                             int64_t rows, int64_t d, float* out) {
  parallel_for(0, rows, grain, [&](int64_t first, int64_t last) {
    std::fill(out + first * d, out + last * d, 0.0f);
    for (int64_t row = first; row < last; row++) {
      const int32_t from = row_start[row];
      decode_row(indices + from, values + from, row_start[row + 1] - from, nullptr, false, w, d, out + row * d);
    }
  });
}

void lazyscope_sparse_dots(const int32_t* row_start, const int32_t* indices, const float* g, const float* w,
                           int64_t rows, int64_t d, int64_t latents, float* out) {
  if (row_start[rows] > many_alone * rows) {
    dots_by_latent(row_start, indices, g, w, rows, d, latents, out);
    return;
  }
  parallel_for(0, rows, grain, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; row++) {
      const int32_t from = row_start[row];
      dots_row(indices + from, row_start[row + 1] - from, g + row * d, w, d, out + from);
    }
  });
}

double lazyscope_sparse_reconstruct(const int32_t* row_start, const int32_t* indices,
                                    const LazyscopeReconstruction* reconstruction) {
  const auto& in = *reconstruction;
  const float *values = in.values, *threshold = in.threshold, *w = in.w, *bias = in.bias, *target = in.target;
  float *error = in.error, *dots = in.dots;
  const int64_t rows = in.rows, d = in.d, latents = in.latents;
  const bool by_latent = row_start[rows] > many_entries * rows;
  thread_local Buffer<double> squares_buffer;
  double* squares = at_least(squares_buffer, rows);
  parallel_for(0, rows, grain, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; row++) {
      float* e = error + row * d;
      const float* t = target + row * d;
      if (bias)
        for (int64_t j = 0; j < d; j++) e[j] = bias[j] - t[j];
      else
        for (int64_t j = 0; j < d; j++) e[j] = -t[j];
      const int32_t from = row_start[row];
      const int64_t count = row_start[row + 1] - from;
      decode_row(indices + from, values + from, count, threshold, true, w, d, e);
      squares[row] = square_sum(e, d);
      if (!by_latent) dots_row(indices + from, count, e, w, d, dots + from);
    }
  });
  if (by_latent) dots_by_latent(row_start, indices, error, w, rows, d, latents, dots);
  double total = 0;
  for (int64_t row = 0; row < rows; row++) total += squares[row];
  return total;
}

double lazyscope_nested_reconstruct(const int32_t* row_start, const int32_t* indices, const int32_t* prefixes,
                                    int32_t prefix_count, const LazyscopeReconstruction* reconstruction) {
  const auto& in = *reconstruction;
  const float *values = in.values, *threshold = in.threshold, *w = in.w, *bias = in.bias, *target = in.target;
  float *error = in.error, *dots = in.dots;
  const int64_t rows = in.rows, d = in.d;
  thread_local Buffer<double> squares_buffer;
  double* squares = at_least(squares_buffer, rows);
  parallel_for(0, rows, grain, [&](int64_t first, int64_t last) {
    std::vector<int32_t> starts(prefix_count + 1);
    for (int64_t row = first; row < last; row++) {
      const float* t = target + row * d;
      squares[row] = 0;
      int32_t at = row_start[row];
      for (int32_t p = 0; p < prefix_count; p++) {
        float* e = error + (p * rows + row) * d;
        if (p > 0) std::memcpy(e, error + ((p - 1) * rows + row) * d, d * sizeof(float));
        else
          for (int64_t j = 0; j < d; j++) e[j] = (bias ? bias[j] : 0.0f) - t[j];
        starts[p] = at;
        while (at < row_start[row + 1] && indices[at] < prefixes[p]) at++;
        decode_row(indices + starts[p], values + starts[p], at - starts[p], threshold, true, w, d, e);
        squares[row] += square_sum(e, d);
      }
      starts[prefix_count] = at;
      for (int32_t p = prefix_count - 1; p >= 0; p--) {
        float* e = error + (p * rows + row) * d;
        if (p + 1 < prefix_count) add_row(e, error + ((p + 1) * rows + row) * d, 1.0f, d);
        dots_row(indices + starts[p], starts[p + 1] - starts[p], e, w, d, dots + starts[p]);
      }
    }
  });
  double total = 0;
  for (int64_t row = 0; row < rows; row++) total += squares[row];
  return total;
}

double lazyscope_dense_reconstruct(const LazyscopeReconstruction* reconstruction) {
  const auto& in = *reconstruction;
  const float *z = in.values, *threshold = in.threshold, *w = in.w, *bias = in.bias, *target = in.target;
  float *error = in.error, *dots = in.dots;
  const int64_t rows = in.rows, d = in.d, latents = in.latents;
  thread_local Buffer<float> f_buffer;
  thread_local Buffer<double> squares_buffer;
  // A block of rows at a time: f needs no matrix of its own as large as z.
  const int64_t block = std::min<int64_t>(rows, 512);
  float* f = at_least(f_buffer, block * latents);
  double* squares = at_least(squares_buffer, rows);
  for (int64_t begin = 0; begin < rows; begin += block) {
    const int64_t n = std::min(block, rows - begin);
    parallel_for(0, n, 8, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; row++) {
        const float* from = z + (begin + row) * latents;
        float* to = f + row * latents;
        if (threshold)
          for (int64_t i = 0; i < latents; i++) to[i] = fires(from[i], threshold[i]) ? from[i] : 0.0f;
        else
          for (int64_t i = 0; i < latents; i++) to[i] = from[i] <= 0.0f ? 0.0f : from[i];
      }
    });
    float* e = error + begin * d;
    product(n, d, latents, {f, latents, false}, {w, d, false}, {e, d, 1.0f, 0.0f, bias, false});
    parallel_for(0, n, 64, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; row++) {
        const float* t = target + (begin + row) * d;
        for (int64_t j = 0; j < d; j++) e[row * d + j] -= t[j];
        squares[begin + row] = square_sum(e + row * d, d);
      }
    });
  }
  product(rows, latents, d, {error, d, false}, {w, d, true}, {dots, latents, 1.0f, 0.0f, nullptr, false});
  double total = 0;
  for (int64_t row = 0; row < rows; row++) total += squares[row];
  return total;
}

void lazyscope_sparse_firings(const int32_t* indices, const float* values, const float* threshold, int64_t entries,
                              int64_t latents, int32_t* counts, float* sums) {
  std::fill(counts, counts + latents, 0);
  std::fill(sums, sums + latents, 0.0f);
  for (int64_t e = 0; e < entries; e++) {
    const int32_t i = indices[e];
    if (!fires(values[e], threshold ? threshold[i] : 0.0f)) continue;
    counts[i]++;
    sums[i] += values[e];
  }
}

void lazyscope_dense_firings(const float* z, const float* threshold, int64_t rows, int64_t latents, int32_t* counts,
                             float* sums) {
  parallel_for(0, latents, columns_together, [&](int64_t first, int64_t last) {
    std::fill(counts + first, counts + last, 0);
    std::fill(sums + first, sums + last, 0.0f);
    for (int64_t row = 0; row < rows; row++)
      for (int64_t i = first; i < last; i++) {
        const float value = z[row * latents + i];
        const bool on = fires(value, threshold ? threshold[i] : 0.0f);
        counts[i] += on;
        sums[i] += on ? value : 0.0f;
      }
  });
}

double lazyscope_scaled_batch(float* x, int64_t rows, int64_t d, float scale) {
  constexpr int64_t block = 64;
  const int64_t blocks = (rows + block - 1) / block;
  thread_local Buffer<float> sums_buffer, mean_buffer;
  thread_local Buffer<double> squares_buffer;
  float *sums = at_least(sums_buffer, blocks * d), *mean = at_least(mean_buffer, d);
  double* squares = at_least(squares_buffer, blocks);
  parallel_for(0, blocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; b++) {
      float* sum_row = sums + b * d;
      std::fill(sum_row, sum_row + d, 0.0f);
      for (int64_t row = b * block; row < std::min(rows, (b + 1) * block); row++) {
        float* from = x + row * d;
        for (int64_t j = 0; j < d; j++) {
          from[j] *= scale;
          sum_row[j] += from[j];
        }
      }
    }
  });
  for (int64_t j = 0; j < d; j++) {
    double total = 0;
    for (int64_t b = 0; b < blocks; b++) total += sums[b * d + j];
    mean[j] = float(total / double(rows));
  }
  parallel_for(0, blocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; b++) {
      squares[b] = 0;
      for (int64_t row = b * block; row < std::min(rows, (b + 1) * block); row++) {
        const float* from = x + row * d;
        double total = 0;
        for (int64_t j = 0; j < d; j++) {
          const double offset = double(from[j]) - mean[j];
          total += offset * offset;
        }
        squares[b] += total;
      }
    }
  });
  double total = 0;
  for (int64_t b = 0; b < blocks; b++) total += squares[b];
  return total;
}
}
