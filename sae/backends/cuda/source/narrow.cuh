/**
 * Rows in bfloat16 for products that only screen, with what bounds their error. A row of W_enc is followed by its latent's bias in three
 * pieces, and a row of x − centre by three ones, so that their product includes the bias; zeros fill up to a multiple of 8.
 *
 * With x = x̃ + δx and w = w̃ + δw, z − z̃ = δx·w + x̃·δw, so |z − z̃| ≤ ‖δx‖·‖w‖ + ‖x̃‖·‖δw‖ by Cauchy and Schwarz, besides the rounding of sums.
 * The norms are stored a little too large, for their own rounding.
 */
#pragma once
#include "fused.cuh"

/** What bounds the error of products with a row: ‖row‖ and ‖row − its copy‖. */
struct Norms {
  float size, error;
};

constexpr int biasPieces = 3;
/** Latents that share a bound where a looser one will do. */
constexpr int groupSize = 64;
/** Squares of smaller numbers than this don't count. */
constexpr float negligible = 1e-17f;

/** Elements of a row's copy. */
__device__ inline int narrowWidth(int d) { return (d + biasPieces + 7) / 8 * 8; }

#ifdef COLUMNS
/**
 * Writes the copy of a row whose columns the threads of the block have, and its norms. What follows the row is `bias` in pieces, or ones
 * where `isInput`. Called by the whole block.
 */
__device__ inline void narrowRow(const Numbers *row, float bias, bool isInput, unsigned short *copy, Norms *norms, int d) {
  float square = 0.0f, difference = 0.0f;
#pragma unroll
  for (int j = 0; j < COLUMNS; j++) {
    const int column = ((int)threadIdx.x + j * THREADS) * VECTOR;
    if (column >= d) break;
    unsigned short narrow[VECTOR];
#pragma unroll
    for (int i = 0; i < VECTOR; i++) {
      const float own = row[j].at[i];
      narrow[i] = toBfloat16(own);
      const float off = own - fromBfloat16(narrow[i]);
      square = fmaf(own, own, square);
      difference = fmaf(off, off, difference);
    }
#if VECTOR == 4
    *reinterpret_cast<ushort4 *>(copy + column) = make_ushort4(narrow[0], narrow[1], narrow[2], narrow[3]);
#else
    copy[column] = narrow[0];
#endif
  }
  square = sumOfBlock(square);
  difference = sumOfBlock(difference);
  if (threadIdx.x != 0) return;
  float rest = bias;
  for (int piece = 0; piece < biasPieces; piece++) {
    const unsigned short narrow = toBfloat16(isInput ? 1.0f : rest);
    copy[d + piece] = narrow;
    rest -= fromBfloat16(narrow);
  }
  for (int column = d + biasPieces; column < narrowWidth(d); column++) copy[column] = 0;
  const float more = isInput ? (float)biasPieces : bias * bias;
  norms->size = 1.02f * sqrtf(square + more) + negligible;
  norms->error = 1.001f * sqrtf(difference + (isInput ? 0.0f : rest * rest)) + negligible;
}
#endif
