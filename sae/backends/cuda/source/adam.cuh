/** One step of Adam (Kingma & Ba, 1412.6980, ε outside of the root). */
#pragma once
#include "fused.cuh"

/** Adam's settings; `rate` and `root` include the bias corrections. */
struct Adam {
  float rate, beta1, rest1, beta2, rest2, root, epsilon;
};

/** The settings of a step. One that is replayed finds its rate and its root in memory, because they were others when it was recorded. */
__device__ inline Adam adamOf(Adam given, const float *ofStep) {
  if (ofStep) {
    given.rate = ofStep[0];
    given.root = ofStep[1];
  }
  return given;
}

__device__ inline float adamStep(const Adam &adam, float value, float gradient, float &first, float &second) {
  first = adam.beta1 * first + adam.rest1 * gradient;
  second = adam.beta2 * second + adam.rest2 * gradient * gradient;
  return value - adam.rate * first / (sqrtf(second) * adam.root + adam.epsilon);
}

/** Whether the entries have the form that their count is right for; otherwise nothing may be changed. */
__device__ inline bool isOpen(const int *count, int least, int most) {
  return !count || (*count >= least && *count <= most);
}
