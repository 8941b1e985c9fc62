// Rotary embedding, the activation functions of MLPs, what follows a product, the optimiser's step and the sum of squares.
#include "prelude.cuh"

// Rotates the pairs (x[i], x[i + half]) of each row by its position's angles. x [rows, seq, head].
extern "C" __global__ void rotary(const float* x, const float* cosine, const float* sine, float* y, long long pairs, int seq, int half,
                                  float sign) {
  for (long long p = globalThread(); p < pairs; p += globalThreads()) {
    const int i = (int)(p % half);
    const long long row = p / half, angle = row % seq * half + i, at = row * 2 * half + i;
    const float a = x[at], b = x[at + half], c = cosine[angle], s = sign * sine[angle];
    y[at] = a * c - b * s;
    y[at + half] = b * c + a * s;
  }
}

// The order of `fusedActivationFunctionNames` in sae/ops/fusedActivationFunction.ts, where the formulas are.
enum Activation { RELU, GELU, GELU_TANH, SILU };

__device__ inline float belowNormal(float x) { return 0.5f + 0.5f * erff(x * 0.707106781186547524f); }
__device__ inline float geluTanh(float x) { return tanhf(x * 0.797884560802865356f * (1.0f + 0.044715f * x * x)); }
__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

__device__ inline float activationOf(int function, float x) {
  switch (function) {
    case RELU: return x <= 0.0f ? 0.0f : x;
    case GELU: return x * belowNormal(x);
    case GELU_TANH: return 0.5f * x * (1.0f + geluTanh(x));
    default: return x * sigmoid(x);
  }
}
__device__ inline float slopeOf(int function, float x) {
  switch (function) {
    case RELU: return x > 0.0f ? 1.0f : 0.0f;
    case GELU: return belowNormal(x) + x * 0.398942280401432678f * expf(x * x * -0.5f);
    case GELU_TANH: {
      const float t = geluTanh(x), root = 0.797884560802865356f;
      return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * root * (1.0f + 3.0f * 0.044715f * x * x);
    }
    default: {
      const float s = sigmoid(x);
      return s * (1.0f + x * (1.0f - s));
    }
  }
}

extern "C" __global__ void activation(int function, const float* x, float* y, long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) y[i] = activationOf(function, x[i]);
}
extern "C" __global__ void activationGrad(int function, const float* x, const float* dy, float* dx, long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) dx[i] = dy[i] * slopeOf(function, x[i]);
}

// y [rows, n] ← relu(y + bias), in place; bias [n] may be null.
extern "C" __global__ void biasRelu(float* y, const float* bias, long long count, int n, int relu) {
  for (long long i = globalThread(); i < count; i += globalThreads()) {
    const float v = bias ? y[i] + bias[i % n] : y[i];
    y[i] = relu && v <= 0.0f ? 0.0f : v;
  }
}

// m ← β1 m + (1 − β1) g; v ← β2 v + (1 − β2) g²; p ← p·keep − step · m / (sqrt(v) · root + ε), where g is the gradient times
// gradientScale, step the learning rate over the first moment's bias correction, root 1/sqrt of the second's, and keep 1 − rate · decay.
extern "C" __global__ void adamW(float* p, const float* gradient, float* m, float* v, long long count, float beta1, float beta2, float step,
                                 float root, float keep, float epsilon, float gradientScale) {
  for (long long i = globalThread(); i < count; i += globalThreads()) {
    const float g = gradient[i] * gradientScale;
    const float first = beta1 * m[i] + (1.0f - beta1) * g, second = beta2 * v[i] + (1.0f - beta2) * g * g;
    m[i] = first;
    v[i] = second;
    p[i] = p[i] * keep - step * first / (sqrtf(second) * root + epsilon);
  }
}

// partial[b]: Σ x² of block b's elements.
extern "C" __global__ void squares(const float* x, double* partial, long long count) {
  double sum = 0.0;
  for (long long i = globalThread(); i < count; i += globalThreads()) sum += (double)x[i] * x[i];
  sum = sumOfBlock(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}
// y[c] = Σ x[r, c] over r < rows, in double precision: one block for each of `width` columns.
extern "C" __global__ void sumDoubles(const double* x, float* y, int rows, int width) {
  double sum = 0.0;
  for (int r = threadIdx.x; r < rows; r += blockDim.x) sum += x[(long long)r * width + blockIdx.x];
  sum = sumOfBlock(sum);
  if (threadIdx.x == 0) y[blockIdx.x] = (float)sum;
}
