#include "fusedUpdate.h"

#include <algorithm>

namespace lazyscope {

ByLatent by_latent(EntryBuffers& buffers, const int32_t* row_start, const int32_t* indices, const float* values,
                   const float* dots, int64_t rows, int64_t latents) {
  const int64_t entries = row_start[rows];
  // Each block of rows counts, and later places, its own entries; the result does not depend on how many there are.
  const int64_t blocks = entries < 16384 ? 1 : 8;
  const int64_t block = (rows + blocks - 1) / blocks;
  int64_t* places = at_least(buffers.places, blocks * latents);
  int64_t* start = at_least(buffers.start, latents + 1);
  int32_t* row_of = at_least(buffers.row, entries);
  float* value = at_least(buffers.value, entries);
  float* dot = at_least(buffers.dot, entries);

  parallel_for(0, blocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; b++) {
      int64_t* mine = places + b * latents;
      std::fill(mine, mine + latents, 0);
      const int64_t end = row_start[std::min(rows, (b + 1) * block)];
      for (int64_t e = row_start[std::min(rows, b * block)]; e < end; e++) mine[indices[e]]++;
    }
  });
  int64_t at = 0;
  for (int64_t i = 0; i < latents; i++) {
    start[i] = at;
    for (int64_t b = 0; b < blocks; b++) {
      const int64_t count = places[b * latents + i];
      places[b * latents + i] = at;
      at += count;
    }
  }
  start[latents] = at;
  parallel_for(0, blocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; b++) {
      int64_t* mine = places + b * latents;
      for (int64_t row = b * block; row < std::min(rows, (b + 1) * block); row++)
        for (int64_t e = row_start[row]; e < row_start[row + 1]; e++) {
          const int64_t to = mine[indices[e]]++;
          row_of[to] = int32_t(row);
          value[to] = values[e];
          dot[to] = dots ? dots[e] : 0.0f;
        }
    }
  });
  return {start, row_of, value, dot};
}

}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

// out [latents, d] = Sᵀ·g
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
