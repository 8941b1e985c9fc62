/** Sums over rows and columns of matrices, compiled for their d. */
#include "fused.cuh"

/** A block for each `each` rows of x [rows, d]. sums [blocks, d]: their sum, weighted by `weights` [rows] where there are any. */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) columnSums(const float *x, const float *weights, float *sums, int rows,
                                                                int each, int d) {
  const int begin = blockIdx.x * each, end = min(rows, begin + each);
  for (int column = threadIdx.x * VECTOR; column < d; column += THREADS * VECTOR) {
    Numbers sum = {};
#pragma unroll 8
    for (int row = begin; row < end; row++) {
      const Numbers own = load(x + (long long)row * d + column);
      const float weight = weights ? weights[row] : 1.0f;
      for (int i = 0; i < VECTOR; i++) sum.at[i] = fmaf(weight, own.at[i], sum.at[i]);
    }
    store(sums + (long long)blockIdx.x * d + column, sum);
  }
}

/**
 * A block for each `each` rows of raw [rows, d]. x = scale · raw, and sums [blocks, d] are those of the rows of x. The copy has its own memory, as raw
 * numbers came from the host on another stream.
 */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) scaleAndSum(const float *raw, float scale, float *x, float *sums,
                                                                         int rows, int each, int d) {
  const int begin = blockIdx.x * each, end = min(rows, begin + each);
  for (int column = threadIdx.x * VECTOR; column < d; column += THREADS * VECTOR) {
    Numbers sum = {};
#pragma unroll 4
    for (int row = begin; row < end; row++) {
      Numbers own = load(raw + (long long)row * d + column);
      for (int i = 0; i < VECTOR; i++) {
        own.at[i] *= scale;
        sum.at[i] += own.at[i];
      }
      store(x + (long long)row * d + column, own);
    }
    store(sums + (long long)blockIdx.x * d + column, sum);
  }
}

/** A block a row. squares [rows]: ‖x − centre‖². */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) rowSquares(const float *x, const float *centre, float *squares, int d) {
  float square = 0.0f;
  for (int column = threadIdx.x * VECTOR; column < d; column += THREADS * VECTOR) {
    const Numbers own = load(x + (long long)blockIdx.x * d + column);
    const Numbers middle = centre ? load(centre + column) : Numbers{};
    for (int i = 0; i < VECTOR; i++) {
      const float difference = own.at[i] - middle.at[i];
      square = fmaf(difference, difference, square);
    }
  }
  square = sumOfBlock(square);
  if (threadIdx.x == 0) squares[blockIdx.x] = square;
}

/** out = x − centre, row by row; a block a row. */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) subtractCentre(const float *x, const float *centre, float *out, int d) {
  const long long at = (long long)blockIdx.x * d;
  for (int column = threadIdx.x * VECTOR; column < d; column += THREADS * VECTOR) {
    Numbers own = load(x + at + column);
    const Numbers middle = load(centre + column);
    for (int i = 0; i < VECTOR; i++) own.at[i] -= middle.at[i];
    store(out + at + column, own);
  }
}

/** error = sum + bias − target [rows, d]; a block a row. squares [rows]: its squared norm. */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    errorOfSum(const float *sum, const float *bias, const float *target, float *error, float *squares, int d) {
  const long long at = (long long)blockIdx.x * d;
  float square = 0.0f;
  for (int column = threadIdx.x * VECTOR; column < d; column += THREADS * VECTOR) {
    Numbers own = load(sum + at + column);
    const Numbers shift = bias ? load(bias + column) : Numbers{}, wanted = load(target + at + column);
    for (int i = 0; i < VECTOR; i++) {
      own.at[i] = own.at[i] + shift.at[i] - wanted.at[i];
      square = fmaf(own.at[i], own.at[i], square);
    }
    store(error + at + column, own);
  }
  square = sumOfBlock(square);
  if (threadIdx.x == 0) squares[blockIdx.x] = square;
}

/** A block a place. out [places, d]: the rows of w of the latents of `choice` (fusedAuxiliary.cu), and 0 behind the last of them. */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) gatherRows(const int *choice, const float *w, float *out, int d) {
  const int place = blockIdx.x;
  const bool there = place < choice[0];
  const float *from = w + (there ? (long long)choice[2 + place] * d : 0);
  for (int column = threadIdx.x * VECTOR; column < d; column += THREADS * VECTOR)
    store(out + (long long)place * d + column, there ? load(from + column) : Numbers{});
}
