// Everything that only moves elements: slices, concatenation, padding, tiling, transposes, gathers.
#include <algorithm>
#include <cstring>

#include "lazyscope.h"
#include "pool.h"

namespace lazyscope {
namespace {

constexpr int64_t grain = 1 << 15;
constexpr int max_rank = 12;

struct Dimension {
  int64_t size, from, to;
};

// Copies a box of elements; dimension 0 is the outermost. The last dimension is contiguous in the output
// whenever any dimension is.
template <class T>
void copy_box(const T* from, T* to, const Dimension* d, int rank) {
  if (rank == 0) {
    *to = *from;
    return;
  }
  const Dimension& last = d[rank - 1];
  // A transposition: the input runs contiguously along another dimension. Done in square tiles.
  int across = -1;
  if (last.from != 1 && last.to == 1)
    for (int i = 0; i + 1 < rank; i++)
      if (d[i].from == 1 && d[i].size > 1) across = i;
  constexpr int64_t side = 16;
  int64_t outer = 1, rows = 1;
  for (int i = 0; i + 1 < rank; i++) {
    if (i == across) rows = (d[i].size + side - 1) / side;
    outer *= i == across ? rows : d[i].size;
  }
  const int64_t work = last.size * (across >= 0 ? side : 1);
  parallel_for(0, outer, std::max<int64_t>(1, grain / std::max<int64_t>(1, work)), [&](int64_t first, int64_t end) {
    // Where the first row of the piece is; from there on the indices count up like an odometer.
    int64_t at[max_rank], x = 0, y = 0;
    int64_t rest = first;
    for (int i = rank - 2; i >= 0; i--) {
      const int64_t count = i == across ? rows : d[i].size, step = i == across ? side : 1;
      at[i] = rest % count;
      rest /= count;
      x += at[i] * step * d[i].from;
      y += at[i] * step * d[i].to;
    }
    for (int64_t r = first; r < end; r++) {
      const int64_t height = across >= 0 ? std::min(side, d[across].size - at[across] * side) : 1;
      const T* source = from + x;
      T* target = to + y;
      if (across >= 0) {
        for (int64_t j0 = 0; j0 < last.size; j0 += side) {
          const int64_t j1 = std::min(last.size, j0 + side);
          for (int64_t i = 0; i < height; i++)
            for (int64_t j = j0; j < j1; j++) target[i * d[across].to + j] = source[i + j * last.from];
        }
      } else if (last.from == 1 && last.to == 1) {
        std::memcpy(target, source, last.size * sizeof(T));
      } else if (last.from == 0 && last.to == 1) {
        std::fill(target, target + last.size, *source);
      } else {
        for (int64_t j = 0; j < last.size; j++) target[j * last.to] = source[j * last.from];
      }
      for (int i = rank - 2; i >= 0; i--) {
        const int64_t count = i == across ? rows : d[i].size, step = i == across ? side : 1;
        x += step * d[i].from;
        y += step * d[i].to;
        if (++at[i] < count) break;
        at[i] = 0;
        x -= count * step * d[i].from;
        y -= count * step * d[i].to;
      }
    }
  });
}

template <class T>
void copy(const T* from, T* to, int rank, const int32_t* shape) {
  Dimension d[max_rank];
  int n = 0;
  for (int i = 0; i < rank; i++) {
    const Dimension next{shape[i], shape[rank + i], shape[2 * rank + i]};
    if (next.size == 0) return;
    if (next.size == 1) continue;
    // Two dimensions that are one in both tensors.
    if (n > 0 && d[n - 1].from == next.from * next.size && d[n - 1].to == next.to * next.size)
      d[n - 1] = {d[n - 1].size * next.size, next.from, next.to};
    else
      d[n++] = next;
  }
  // One long run: cut it, so that all threads share it.
  if (n == 1 && d[0].size >= 2 * grain && d[0].from == 1 && d[0].to == 1) {
    parallel_for(0, d[0].size, grain, [&](int64_t first, int64_t last) {
      std::memcpy(to + first, from + first, (last - first) * sizeof(T));
    });
    return;
  }
  copy_box(from, to, d, n);
}

}  // namespace
}  // namespace lazyscope

using namespace lazyscope;

extern "C" {

void lazyscope_copy(int32_t bytes, const void* from, int64_t from_offset, void* to, int64_t to_offset,
                    int32_t rank, const int32_t* shape) {
  if (bytes == 4) copy(static_cast<const uint32_t*>(from) + from_offset, static_cast<uint32_t*>(to) + to_offset, rank, shape);
  else copy(static_cast<const uint8_t*>(from) + from_offset, static_cast<uint8_t*>(to) + to_offset, rank, shape);
}

void lazyscope_fill(void* to, int64_t count, float value) {
  uint32_t* out = static_cast<uint32_t*>(to);
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  parallel_for(0, count, grain, [&](int64_t first, int64_t last) { std::fill(out + first, out + last, bits); });
}

int64_t lazyscope_gather(const void* x, const int32_t* index, void* out, int64_t outer, int64_t n, int64_t count,
                         int64_t inner) {
  for (int64_t i = 0; i < count; i++)
    if (index[i] < 0 || index[i] >= n) return i;
  parallel_for(0, outer * count, std::max<int64_t>(1, grain / std::max<int64_t>(1, inner)), [&](int64_t first, int64_t last) {
    for (int64_t t = first; t < last; t++) {
      const uint32_t* from = static_cast<const uint32_t*>(x) + ((t / count) * n + index[t % count]) * inner;
      std::memcpy(static_cast<uint32_t*>(out) + t * inner, from, inner * sizeof(uint32_t));
    }
  });
  return -1;
}
}
