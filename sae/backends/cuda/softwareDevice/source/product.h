/** Matrix products, column-major, as cuBLASLt computes them: f32 or bf16 in memory, sums in f32. */
#pragma once
#include <cstdint>

namespace lazyscope {

struct Matrix {
  void* data;
  bool bf16;
  int64_t rows, columns, leading;
  /** Elements between the matrices of a batch. */
  int64_t stride;
};

struct ProductRequest {
  Matrix a, b, c, d;
  bool transposeA, transposeB;
  /** Factors are rounded to 10 bits of mantissa, as tensor cores do. */
  bool tf32;
  int64_t batch;
  float alpha, beta;
};

/** D = alpha·op(A)·op(B) + beta·C. Each element's sum has a fixed order. */
void multiply(const ProductRequest& request);

}  // namespace lazyscope
