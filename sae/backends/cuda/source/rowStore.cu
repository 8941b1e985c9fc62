// Rows of activations in the number type of a capture, which are stored and read by their places. HALF: float16, otherwise float32.
#include "prelude.cuh"

constexpr int threads = 256;

#if HALF
typedef unsigned short Stored;

// To the nearest float16, ties to even; what is too large becomes infinite.
__device__ inline Stored toStored(float value) {
  const unsigned word = __float_as_uint(value), sign = (word >> 16) & 0x8000u, magnitude = word & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return (Stored)(sign | 0x7e00u);
  if (magnitude >= 0x47800000u) return (Stored)(sign | 0x7c00u);
  // Normal: the exponent counts from 15 instead of 127, and 13 bits are rounded away; a carry runs into the exponent as it should.
  if (magnitude >= 0x38800000u) return (Stored)(sign | ((magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13));
  if (magnitude < 0x33000000u) return (Stored)sign;
  // Subnormal: the whole mantissa in units of 2^-24.
  const unsigned shift = 126u - (magnitude >> 23), mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  return (Stored)(sign | ((mantissa + (1u << (shift - 1u)) - 1u + ((mantissa >> shift) & 1u)) >> shift));
}

__device__ inline float fromStored(Stored bits) {
  const unsigned sign = (unsigned)(bits & 0x8000u) << 16, exponent = (bits >> 10) & 31u, fraction = bits & 0x3ffu;
  if (exponent == 31u) return __uint_as_float(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0u) return __uint_as_float(sign | (exponent + 112u) << 23 | fraction << 13);
  const float small = (float)fraction * 5.9604644775390625e-8f;
  return sign ? -small : small;
}
#else
typedef float Stored;
__device__ inline Stored toStored(float value) { return value; }
__device__ inline float fromStored(Stored value) { return value; }
#endif

// A block a row of activations [rows, d]. norms [rows]: the norm that the row has as it is stored.
extern "C" __global__ void __launch_bounds__(threads) storedNorms(const float* activations, float* norms, int d) {
  __shared__ double ofThread[threads];
  const float* row = activations + (long long)blockIdx.x * d;
  double square = 0.0;
  for (int column = threadIdx.x; column < d; column += threads) {
    const double value = fromStored(toStored(row[column]));
    square += value * value;
  }
  ofThread[threadIdx.x] = square;
  for (int half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if ((int)threadIdx.x < half) ofThread[threadIdx.x] += ofThread[threadIdx.x + half];
  }
  if (threadIdx.x == 0) norms[blockIdx.x] = (float)sqrt(ofThread[0]);
}

// A block for each of `rows`, which are of activations [.., d]: the rows of the store from `first` on.
extern "C" __global__ void __launch_bounds__(threads)
    storeRows(const float* activations, const int* rows, Stored* store, long long first, int d) {
  const float* from = activations + (long long)rows[blockIdx.x] * d;
  Stored* to = store + (first + blockIdx.x) * d;
  for (int column = threadIdx.x; column < d; column += threads) to[column] = toStored(from[column]);
}

// A block for each of `places` in the store, or for each of its rows in turn where there is no list: row `first` and those after it of `to` [.., width],
// columns `column` … `column` + d − 1, widened and times `scale`, as the host does it: in double precision, rounded once.
extern "C" __global__ void __launch_bounds__(threads)
    widenPlaces(const Stored* store, const int* places, float* to, long long first, int d, double scale, int column, int width) {
  const Stored* from = store + (long long)(places ? places[blockIdx.x] : (int)blockIdx.x) * d;
  float* row = to + (first + blockIdx.x) * width + column;
  for (int at = threadIdx.x; at < d; at += threads) {
    const float value = fromStored(from[at]);
    row[at] = scale == 1.0 ? value : (float)(value * scale);
  }
}

// A block for each of `places` in the store: the rows of another store, in their order.
extern "C" __global__ void __launch_bounds__(threads)
    copyPlaces(const Stored* store, const int* places, Stored* to, int d) {
  const Stored* from = store + (long long)places[blockIdx.x] * d;
  Stored* row = to + (long long)blockIdx.x * d;
  for (int column = threadIdx.x; column < d; column += threads) row[column] = from[column];
}
