// Pieces of rows that reductions, cross-entropy and attention share. Defined in reduce.cc.
#pragma once

#include <cstdint>

namespace lazyscope {

float row_max(const float* x, int64_t n);
// Σ e^(x − shift); exp_row also keeps the terms in y (which may be x).
float sum_exp_row(const float* x, int64_t n, float shift);
float exp_row(const float* x, float* y, int64_t n, float shift);
// As exp_row, and Σ (x − shift) e^(x − shift) besides: with the total, the entropy of the row's softmax.
struct ExpSums {
  float total, weighted;
};
ExpSums exp_row_weighted(const float* x, float* y, int64_t n, float shift);

}  // namespace lazyscope
