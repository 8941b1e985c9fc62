// Parts of the fused update that have files of their own.
#pragma once

#include <cstdint>

#include "entriesByLatent.h"

namespace lazyscope {

// One reconstruction's entries ordered by latent: those of latent i are start[i] … start[i + 1] − 1, rows ascending.
struct ByLatent {
  const int64_t* start;
  const int32_t* row;
  const float* value;
  const float* dot;
};

struct EntryBuffers {
  SortBuffers sort;
  Buffer<int32_t> row;
  Buffer<float> value, dot;
};

ByLatent by_latent(EntryBuffers& buffers, const int32_t* row_start, const int32_t* indices, const float* values,
                   const float* dots, int64_t rows, int64_t latents);

struct Adam {
  double rate;  // learning rate / (1 − β1^t)
  double beta1, beta2, epsilon;
  double root;  // 1 / √(1 − β2^t)
};

// One Adam step of `count` consecutive parameters (Kingma & Ba, 1412.6980; ε outside the root).
inline void adam_step(const Adam& adam, float* p, float* m, float* v, const float* g, float scale, int64_t count) {
  const float b1 = float(adam.beta1), b2 = float(adam.beta2);
  const float c1 = float(1 - adam.beta1), c2 = float(1 - adam.beta2);
  const float rate = float(adam.rate), root = float(adam.root), epsilon = float(adam.epsilon);
  for (int64_t j = 0; j < count; j++) {
    const float x = g[j] * scale;
    m[j] = b1 * m[j] + c1 * x;
    v[j] = b2 * v[j] + c2 * x * x;
    p[j] -= rate * m[j] / (std::sqrt(v[j]) * root + epsilon);
  }
}

}  // namespace lazyscope
