// RMSNorm and LayerNorm over rows, forward and backward: one block a row. Gradients of gain and bias are sums over rows: blocks of 32
// columns add up pieces of 64 rows each, and reduction.cu adds the pieces.
#include "prelude.cuh"

__device__ inline float meanOfSquares(const float* row, int d) {
  float sum = 0.0f;
  for (int j = threadIdx.x; j < d; j += blockDim.x) sum += row[j] * row[j];
  return sumOfBlock(sum) / d;
}

extern "C" __global__ void rmsNorm(const float* x, const float* gain, float* y, int d, float epsilon) {
  const float* row = x + (long long)blockIdx.x * d;
  float* out = y + (long long)blockIdx.x * d;
  const float s = 1.0f / sqrtf(meanOfSquares(row, d) + epsilon);
  for (int j = threadIdx.x; j < d; j += blockDim.x) out[j] = row[j] * s * gain[j];
}

// With s = 1/sqrt(mean x² + ε) and g = dy · gain: dx = s·g − x · s³/d · Σ g x. scales [rows] becomes s.
extern "C" __global__ void rmsNormGrad(const float* x, const float* gain, const float* dy, float* dx, float* scales, int d, float epsilon) {
  const long long first = (long long)blockIdx.x * d;
  const float s = 1.0f / sqrtf(meanOfSquares(x + first, d) + epsilon);
  float dot = 0.0f;
  for (int j = threadIdx.x; j < d; j += blockDim.x) dot += dy[first + j] * gain[j] * x[first + j];
  const float back = sumOfBlock(dot) * s * s * s / d;
  for (int j = threadIdx.x; j < d; j += blockDim.x) dx[first + j] = dy[first + j] * gain[j] * s - x[first + j] * back;
  if (threadIdx.x == 0) scales[blockIdx.x] = s;
}

struct Moments {
  float mean, scale;
};
__device__ inline Moments momentsOf(const float* row, int d, float epsilon) {
  float sum = 0.0f;
  for (int j = threadIdx.x; j < d; j += blockDim.x) sum += row[j];
  const float mean = sumOfBlock(sum) / d;
  float squares = 0.0f;
  for (int j = threadIdx.x; j < d; j += blockDim.x) squares += (row[j] - mean) * (row[j] - mean);
  return {mean, 1.0f / sqrtf(sumOfBlock(squares) / d + epsilon)};
}

extern "C" __global__ void layerNorm(const float* x, const float* gain, const float* bias, float* y, int d, float epsilon) {
  const float* row = x + (long long)blockIdx.x * d;
  float* out = y + (long long)blockIdx.x * d;
  const Moments m = momentsOf(row, d, epsilon);
  for (int j = threadIdx.x; j < d; j += blockDim.x) out[j] = (row[j] - m.mean) * m.scale * gain[j] + bias[j];
}

// With h = (x − mean)·s and g = dy · gain: dx = s·(g − mean g − h · mean(g h)). means and scales [rows] become those of the rows.
extern "C" __global__ void layerNormGrad(const float* x, const float* gain, const float* dy, float* dx, float* means, float* scales, int d,
                                         float epsilon) {
  const long long first = (long long)blockIdx.x * d;
  const Moments m = momentsOf(x + first, d, epsilon);
  float sum = 0.0f, dot = 0.0f;
  for (int j = threadIdx.x; j < d; j += blockDim.x) {
    const float g = dy[first + j] * gain[j];
    sum += g;
    dot += g * (x[first + j] - m.mean);
  }
  const float meanG = sumOfBlock(sum) / d, meanGh = sumOfBlock(dot) * m.scale / d;
  for (int j = threadIdx.x; j < d; j += blockDim.x)
    dx[first + j] = m.scale * (dy[first + j] * gain[j] - meanG - (x[first + j] - m.mean) * m.scale * meanGh);
  if (threadIdx.x != 0) return;
  means[blockIdx.x] = m.mean;
  scales[blockIdx.x] = m.scale;
}

// Piece blockIdx.y of the sums over rows: dGain = Σ dy·(x − mean)·s, and dBias = Σ dy. means is null for RMSNorm, which has no bias
// either. partial [pieces, width], dGain's columns first; width is d, or 2 d with a bias. 32 columns × 8 rows of threads.
extern "C" __global__ void gainGrad(const float* x, const float* dy, const float* means, const float* scales, float* partial, int rows, int d,
                                    int width) {
  __shared__ float gains[8][32], biases[8][32];
  const int lane = threadIdx.x % 32, part = threadIdx.x / 32, column = blockIdx.x * 32 + lane;
  const int first = blockIdx.y * 64, last = first + 64 < rows ? first + 64 : rows;
  float gain = 0.0f, bias = 0.0f;
  if (column < d)
    for (int row = first + part; row < last; row += 8) {
      const long long at = (long long)row * d + column;
      gain += dy[at] * (means ? x[at] - means[row] : x[at]) * scales[row];
      bias += dy[at];
    }
  gains[part][lane] = gain;
  biases[part][lane] = bias;
  __syncthreads();
  if (part != 0 || column >= d) return;
  for (int other = 1; other < 8; other++) {
    gain += gains[other][lane];
    bias += biases[other][lane];
  }
  partial[(long long)blockIdx.y * width + column] = gain;
  if (width == 2 * d) partial[(long long)blockIdx.y * width + d + column] = bias;
}
