#include "adam.cuh"

/** An Adam step of a vector. */
extern "C" __global__ void __launch_bounds__(256)
    updateVector(const float *gradient, float *w, float *first, float *second, const float *clip, float rate,
                 float beta1, float rest1, float beta2, float rest2, float root, float epsilon, const float *ofStep, const int *count,
                 int least, int most, int length) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= length || !isOpen(count, least, most)) return;
  const Adam adam = adamOf({rate, beta1, rest1, beta2, rest2, root, epsilon}, ofStep);
  float m = first[i], v = second[i];
  w[i] = adamStep(adam, w[i], gradient[i] * (clip ? *clip : 1.0f), m, v);
  first[i] = m;
  second[i] = v;
}
