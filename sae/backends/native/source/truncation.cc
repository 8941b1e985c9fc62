// What is lost as a layer's neurons are masked one after the other: what sae/ops/truncationLosses.ts defines.
#include <algorithm>
#include <cmath>

#include "lazyscope.h"
#include "pool.h"
#include "simd.h"

namespace {

constexpr int W = lazyscope::W;
typedef double doubles __attribute__((vector_size(W * 8)));
typedef double doubles_unaligned __attribute__((vector_size(W * 8), aligned(8), may_alias));

// sum += x · row; returns the sum's squared norm.
double add_row(double* sum, const float* row, double x, int64_t d) {
  doubles squares{};
  int64_t i = 0;
  for (; i + W <= d; i += W) {
    auto* at = reinterpret_cast<doubles_unaligned*>(sum + i);
    const doubles next = *at + __builtin_convertvector(lazyscope::load(row + i), doubles) * x;
    *at = next;
    squares += next * next;
  }
  double total = 0;
  for (int j = 0; j < W; j++) total += squares[j];
  for (; i < d; i++) {
    sum[i] += x * row[i];
    total += sum[i] * sum[i];
  }
  return total;
}

}  // namespace

using namespace lazyscope;

extern "C" {

void lazyscope_truncation(const float* a, const float* w, const int32_t* order, int64_t tokens, int64_t neurons,
                          int64_t d, float* lost) {
  parallel_for(0, tokens, 1, [=](int64_t from, int64_t to) {
    double* sum = reinterpret_cast<double*>(scratch(Scratch::other, 2 * d));
    for (int64_t at = from * neurons, token = from; token < to; token++) {
      std::fill(sum, sum + d, 0.0);
      double norm = 0;
      const float* own = a + token * neurons;
      for (int64_t rank = 0; rank < neurons; rank++, at++) {
        const int32_t neuron = order[at];
        if (own[neuron] != 0) norm = std::sqrt(add_row(sum, w + neuron * d, own[neuron], d));
        lost[at] = float(norm);
      }
    }
  });
}
}
