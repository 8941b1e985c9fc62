// Shared by the epilogues of the encoders' products: how pieces of a product become entries of a list.
#pragma once

#include <cstring>
#include <limits>

#include "fusedLanes.h"

namespace lazyscope {

// The lanes of a vector that are columns of the result: those beyond it may be NaN when the input is.
inline unsigned real_lanes(int64_t left) { return left >= W ? ~0u : left <= 0 ? 0u : (1u << left) - 1; }

// Padded to whole tiles, so that vectors can be loaded past the end.
inline const float* padded(Buffer<float>& buffer, const float* values, int64_t count) {
  float* out = at_least(buffer, count + NR);
  std::memcpy(out, values, count * sizeof(float));
  std::fill(out + count, out + count + NR, 0.0f);
  return out;
}

}  // namespace lazyscope
