#include "fusedUpdate.h"
#include "lazyscope.h"

namespace lazyscope {

ByLatent by_latent(EntryBuffers& buffers, const int32_t* row_start, const int32_t* indices, const float* values,
                   const float* dots, int64_t rows, int64_t latents) {
  const int64_t entries = row_start[rows];
  int32_t* row_of = at_least(buffers.row, entries);
  float* value = at_least(buffers.value, entries);
  float* dot = at_least(buffers.dot, entries);
  const int64_t* start =
      sort_by_latent(buffers.sort, row_start, indices, rows, latents, [=](int64_t to, int64_t e, int64_t row) {
        row_of[to] = int32_t(row);
        value[to] = values[e];
        dot[to] = dots ? dots[e] : 0.0f;
      });
  return {start, row_of, value, dot};
}

}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

void lazyscope_sparse_outer(const int32_t* row_start, const int32_t* indices, const float* values, const float* g,
                            int64_t rows, int64_t d, int64_t latents, float* out) {
  thread_local EntryBuffers buffers;
  const ByLatent list = by_latent(buffers, row_start, indices, values, nullptr, rows, latents);
  parallel_for(0, latents, 16, [&](int64_t first, int64_t last) {
    std::fill(out + first * d, out + last * d, 0.0f);
    constexpr int group = 64;
    const float* from[group];
    for (int64_t i = first; i < last; i++)
      for (int64_t e = list.start[i]; e < list.start[i + 1]; e += group) {
        const int n = int(std::min<int64_t>(group, list.start[i + 1] - e));
        for (int t = 0; t < n; t++) from[t] = g + list.row[e + t] * d;
        add_rows(out + i * d, from, list.value + e, n, d);
      }
  });
}
}
