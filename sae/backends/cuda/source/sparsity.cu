// What the sparsity measures count and mask: the kernels behind sae/ops/firingCounts.ts, signalSums.ts, truncationLosses.ts and
// maskedActivations.ts, which define each output.
#include "prelude.cuh"

// A thread for each neuron passes over the rows, in order. fired, firedAt and overs (entries above the bar) are counts of each neuron, sum is
// Σ a. levels [thresholds + 1] and rowFired [rows] must be 0 before; they are added up in integers.
extern "C" __global__ void firing(const float* a, const float* gates, const float* bar, const float* thresholds, int levelCount,
                                  int neuronLevel, int rows, int neurons, int* fired, int* firedAt, float* sum, int* levels, int* rowFired,
                                  int* overs) {
  __shared__ int levelSums[17];
  if ((int)threadIdx.x <= levelCount) levelSums[threadIdx.x] = 0;
  __syncthreads();
  const int neuron = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x % 32;
  const bool real = neuron < neurons;
  const float limit = real ? bar[neuron] : 0.0f;
  int count = 0, countAt = 0, over = 0;
  float total = 0.0f;
  for (int row = 0; row < rows; row++) {
    const long long at = (long long)row * neurons + neuron;
    const bool on = real && gates[at] != 0.0f;
    const unsigned firing = __ballot_sync(wholeWarp, on);
    if (firing == 0) continue;
    if (lane == 0) atomicAdd(rowFired + row, __popc(firing));
    const float value = on ? a[at] : 0.0f, magnitude = fabsf(value);
    int exceeded = 0;
    for (int level = 0; level < levelCount; level++) exceeded += magnitude > thresholds[level] ? 1 : 0;
    if (!on) continue;
    atomicAdd(levelSums + exceeded, 1);
    count++;
    countAt += exceeded > neuronLevel;
    total += value;
    over += magnitude > limit;
  }
  __syncthreads();
  if ((int)threadIdx.x <= levelCount && levelSums[threadIdx.x] != 0) atomicAdd(levels + threadIdx.x, levelSums[threadIdx.x]);
  if (!real) return;
  fired[neuron] = count;
  firedAt[neuron] = countAt;
  sum[neuron] = total;
  overs[neuron] = over;
}

// row · neurons + neuron of each entry above the bar, from starts[neuron] on.
extern "C" __global__ void listOver(const float* a, const float* gates, const float* bar, const int* starts, int rows, int neurons, int* list) {
  const int neuron = blockIdx.x * blockDim.x + threadIdx.x;
  if (neuron >= neurons) return;
  int at = starts[neuron];
  const int end = starts[neuron + 1];
  for (int row = 0; row < rows && at < end; row++) {
    const long long entry = (long long)row * neurons + neuron;
    if (gates[entry] != 0.0f && fabsf(a[entry]) > bar[neuron]) list[at++] = row * neurons + neuron;
  }
}

// sums [rows, 2]: (mean of the row)² and the variance of its components, in double precision; one block a row.
extern "C" __global__ void signal(const float* x, double* sums, int d) {
  const float* row = x + (long long)blockIdx.x * d;
  double total = 0.0, squares = 0.0;
  for (int j = threadIdx.x; j < d; j += blockDim.x) total += row[j];
  const double mean = sumOfBlock(total) / d;
  for (int j = threadIdx.x; j < d; j += blockDim.x) squares += (row[j] - mean) * (row[j] - mean);
  squares = sumOfBlock(squares);
  if (threadIdx.x != 0) return;
  sums[2 * blockIdx.x] = mean * mean;
  sums[2 * blockIdx.x + 1] = squares / d;
}

// One block a token adds the neurons' rows of w in the token's order; sums [tokens, d] holds the running sum.
extern "C" __global__ void truncation(const float* a, const float* w, const int* order, double* sums, float* lost, int neurons, int d) {
  const long long first = (long long)blockIdx.x * neurons;
  double* sum = sums + (long long)blockIdx.x * d;
  for (int j = threadIdx.x; j < d; j += blockDim.x) sum[j] = 0.0;
  double norm = 0.0;
  for (int rank = 0; rank < neurons; rank++) {
    const int neuron = order[first + rank];
    const float x = a[first + neuron];
    if (x != 0.0f) {
      double squares = 0.0;
      for (int j = threadIdx.x; j < d; j += blockDim.x) {
        sum[j] += (double)x * w[(long long)neuron * d + j];
        squares += sum[j] * sum[j];
      }
      norm = sqrt(sumOfBlock(squares));
    }
    if (threadIdx.x == 0) lost[first + rank] = (float)norm;
  }
}

// The order of `maskRules` in sae/ops/maskedActivations.ts.
enum Rule { AT_MOST, LARGEST, NORMAL, SOFT };

// mean + deviation · quantile of n values; the deviation is the sample's.
__device__ inline double normalThreshold(const float* x, int n, double quantile) {
  double total = 0.0, squares = 0.0;
  for (int j = threadIdx.x; j < n; j += blockDim.x) total += x[j];
  const double mean = sumOfBlock(total) / n;
  for (int j = threadIdx.x; j < n; j += blockDim.x) squares += (x[j] - mean) * (x[j] - mean);
  const double deviation = sqrt(sumOfBlock(squares) / (n - 1));
  return deviation == 0.0 ? mean : mean + deviation * quantile;
}

__device__ inline int magnitudeBits(float x) { return (int)(__float_as_uint(x) & 0x7fffffffu); }

__device__ inline int countAbove(const float* x, int n, int bound) {
  int count = 0;
  for (int j = threadIdx.x; j < n; j += blockDim.x) count += magnitudeBits(x[j]) > bound;
  return sumOfBlock(count);
}

// The bits of the k-th largest magnitude, from the highest bit to the lowest.
__device__ inline int kthLargest(const float* x, int n, int k) {
  int found = 0;
  for (int bit = 30; bit >= 0; bit--) {
    const int tried = found | (1 << bit);
    if (countAbove(x, n, tried - 1) >= k) found = tried;
  }
  return found;
}

// One block a row. (NVRTC 12.4 and 13.5 crash on a kernel that is called mask.) counts [2] (zeros after and before) must be 0; they are added up in integers. key and bars may be null.
extern "C" __global__ void maskRow(int rule, const float* a, const float* key, const float* bars, float* out, int* counts, int n, int k,
                                   double quantile) {
  const long long first = (long long)blockIdx.x * n;
  const float* row = a + first;
  const float* keys = key ? key + first : row;
  double threshold = 0.0;
  int least = 0, places = n;
  if (rule == NORMAL) threshold = normalThreshold(keys, n, quantile);
  if (rule == SOFT) threshold = normalThreshold(row, n, quantile);
  if (rule == LARGEST && k < n) {
    least = kthLargest(row, n, k);
    places = k - countAbove(row, n, least);  // for those at the bound itself, of which the first stay
  }
  const double shift = threshold == -(double)infinity() ? 0.0 : threshold;
  int zeros = 0, before = 0;
  for (int base = 0; base < n; base += blockDim.x) {
    const int j = base + threadIdx.x;
    const bool real = j < n;
    const float x = real ? row[j] : 0.0f;
    float value = x;
    if (rule == AT_MOST) {
      if (real && (key ? keys[j] : fabsf(x)) <= bars[j]) value = 0.0f;
    } else if (rule == NORMAL) {
      if (real && (double)keys[j] <= threshold) value = 0.0f;
    } else if (rule == SOFT) {
      value = (double)x <= threshold ? 0.0f : (float)((double)x - shift);
    } else {
      const int bits = magnitudeBits(x);
      int equals;
      const int earlier = sumBefore(real && bits == least ? 1 : 0, equals);
      const bool kept = bits > least || (bits == least && earlier < places);
      places -= equals < places ? equals : places;
      if (!kept) value = 0.0f;
    }
    if (!real) continue;
    out[first + j] = value;
    zeros += value == 0.0f;
    before += !(fabsf(x) > 0.0f);
  }
  zeros = sumOfBlock(zeros);
  before = sumOfBlock(before);
  if (threadIdx.x != 0) return;
  atomicAdd(counts, zeros);
  atomicAdd(counts + 1, before);
}
