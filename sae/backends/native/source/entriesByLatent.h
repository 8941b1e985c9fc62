// Entries of a sparse [rows, latents] matrix in the order of their latents: a counting sort, on all threads.
#pragma once

#include <algorithm>

#include "fusedRows.h"

namespace lazyscope {

struct SortBuffers {
  Buffer<int64_t> start, places;
};

// Calls place(to, entry, row) for every entry, `to` its place in the order (rows ascend within a latent), and returns
// where each latent's begin: [latents + 1]. place() runs on several threads.
template <class Place>
const int64_t* sort_by_latent(SortBuffers& buffers, const int32_t* row_start, const int32_t* indices, int64_t rows,
                              int64_t latents, Place&& place) {
  // Each block of rows counts, and later places, its own entries; the result does not depend on how many there are.
  const int64_t blocks = row_start[rows] < 16384 ? 1 : 8;
  const int64_t block = (rows + blocks - 1) / blocks;
  int64_t* places = at_least(buffers.places, blocks * latents);
  int64_t* start = at_least(buffers.start, latents + 1);
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
        for (int64_t e = row_start[row]; e < row_start[row + 1]; e++) place(mine[indices[e]]++, e, row);
    }
  });
  return start;
}

}  // namespace lazyscope
