// The signal along the residual stream: what sae/ops/signalSums.ts defines.
#include <algorithm>

#include "lazyscope.h"
#include "pool.h"
#include "simd.h"

namespace {

constexpr int64_t block_rows = 64;
typedef double doubles __attribute__((vector_size(lazyscope::W * 8)));

double add_up(const doubles& v) {
  double s = 0;
  for (int i = 0; i < lazyscope::W; i++) s += v[i];
  return s;
}

}  // namespace

using namespace lazyscope;

extern "C" {

void lazyscope_signal(const float* x, int64_t rows, int64_t d, float* sums) {
  const int64_t blocks = (rows + block_rows - 1) / block_rows;
  double* part = reinterpret_cast<double*>(scratch(Scratch::other, 4 * std::max<int64_t>(1, blocks)));
  parallel_for(0, blocks, 1, [=](int64_t from, int64_t to) {
    for (int64_t block = from; block < to; block++) {
      double squares = 0, variances = 0;
      for (int64_t r = block * block_rows; r < std::min(rows, (block + 1) * block_rows); r++) {
        const float* row = x + r * d;
        doubles total{}, spread{};
        int64_t i = 0;
        for (; i + W <= d; i += W) total += __builtin_convertvector(load(row + i), doubles);
        double mean = add_up(total);
        for (; i < d; i++) mean += row[i];
        mean /= double(d);
        for (i = 0; i + W <= d; i += W) {
          const doubles off = __builtin_convertvector(load(row + i), doubles) - mean;
          spread += off * off;
        }
        double variance = add_up(spread);
        for (; i < d; i++) variance += (row[i] - mean) * (row[i] - mean);
        squares += mean * mean;
        variances += variance / double(d);
      }
      part[2 * block] = squares;
      part[2 * block + 1] = variances;
    }
  });
  double squares = 0, variances = 0;
  for (int64_t block = 0; block < blocks; block++) {
    squares += part[2 * block];
    variances += part[2 * block + 1];
  }
  sums[0] = float(squares);
  sums[1] = float(variances);
}
}
