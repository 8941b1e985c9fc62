// Screening: which latents a row can choose at all, from a product of 16-bit integers, so that only those few need
// their pre-activations in floats. One instruction multiplies twice as many of these integers as floats, and sums of
// integers are exact, so the only error is that of rounding the operands, and it is bounded:
//
//   x and w are scaled by powers of two s, t (exact) and rounded, q = s·x − δ, p = t·w − ε. Then
//   |x·w − q·p/(s·t)| = |s·x·ε + δ·p|/(s·t) <= ‖x‖·‖ε‖/t + ‖δ‖/s·(‖w‖ + ‖ε‖/t)        (Cauchy-Schwarz)
//
// and s is as large as ‖q‖ <= 46,340 allows, so that ‖q‖·‖p‖ < 2³¹ and no sum overflows, whatever its order. For
// d = 768 the bound is some 5e-4 of ‖x‖·‖w‖, a sixth of what bfloat16 operands could promise. To it comes what a chain
// of d roundings in floats may be off (Higham, Accuracy and Stability of Numerical Algorithms, §3.1), since it is the
// choice among the pre-activations *as computed in floats* that must come out the same, bit for bit.
#pragma once

#include "fusedRows.h"
#include "gemm.h"

namespace lazyscope {

// Rows of a matrix as integers, with what the bound needs. A row that cannot be rounded to any use (not finite, or of a
// norm near the ends of what a float holds) has zeros for integers and an infinite norm: everything stays possible.
struct RoundedRows {
  const float* pairs;     // [rows][depth], two 16-bit integers each; the order within a row is the same for all
  int64_t depth;          // ⌈d/2⌉
  const float* inverse;   // 1/s [rows, padded]
  const float* norm;      // at least ‖v‖
  const float* residual;  // at least ‖s·v − q‖/s
};

struct RoundedBuffers {
  Buffer<float> pairs, inverse, norm, residual;
};

RoundedRows round_rows(RoundedBuffers& buffers, const float* data, int64_t rows, int64_t d);

// The bounds of every latent, padded to whole tiles: |z − z̃| <= X·of_norm + Y·of_residual + of_bias for a row of norm X
// and residual Y, z̃ the pre-activation from integers.
struct LatentBounds {
  const float *bias, *of_norm, *of_residual, *of_bias, *inverse;
};

struct BoundBuffers {
  Buffer<float> bias, of_norm, of_residual, of_bias;
};

LatentBounds latent_bounds(BoundBuffers& buffers, const RoundedRows& w, const float* b, int64_t latents, int64_t d);

// z̃ and how far z may be from it, for a vector of latents and one row after another.
struct Screen {
  vec inverse, bias, of_norm, of_residual, of_bias;

  Screen(const LatentBounds& l, int64_t column)
      : inverse(load(l.inverse + column)), bias(load(l.bias + column)), of_norm(load(l.of_norm + column)),
        of_residual(load(l.of_residual + column)), of_bias(load(l.of_bias + column)) {}

  vec pre_activation(const float* tile, float row_inverse) const {
    const vec q = __builtin_convertvector(*(const ivec_unaligned*)tile, vec);
    return q * broadcast(row_inverse) * inverse + bias;
  }
  vec bound(float norm, float residual) const {
    return broadcast(norm) * of_norm + broadcast(residual) * of_residual + of_bias;
  }
};

// out[i] = x · w[latents[i]], the bits that gemm_tiles computes for more than FEW rows.
void exact_dots(const float* x, const float* w, int64_t d, const int32_t* latents, int64_t count, float* out);

// Whether to screen a product: never where the CPU multiplies floats as fast as pairs. Otherwise as it was asked for:
// not at all, where it is expected to be faster (here and now, when about `expected` latents a row will be left; not for
// a while after screening_wasted()), or wherever it is possible (for tests).
enum Screening : int32_t { never, where_it_pays, always };
bool screens(int32_t asked, int64_t rows, int64_t d, int64_t latents, int64_t expected);
// The bounds excluded too little: the same data will soon be seen again.
void screening_wasted();

}  // namespace lazyscope
