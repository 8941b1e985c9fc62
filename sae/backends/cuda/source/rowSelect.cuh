/**
 * The k-th largest of many ranks (see `rankOf`) by their digits: the highest 11 bits of all 31, then the next 11 of those that share them,
 * then the last 9. A block finds it; counting is in any order, so the result has no order to depend on.
 */
#pragma once
#include "fused.cuh"

constexpr int digitValues = 2048, digits = 3;

/** How far to the right a digit's lowest bit is. */
__device__ inline int digitShift(int digit) { return digit == 0 ? 20 : digit == 1 ? 9 : 0; }

/** How many values a digit has. */
__device__ inline int valuesOf(int digit) { return digit == 2 ? 512 : digitValues; }

/** Whether a rank begins with the digits that have been found, all before `digit`. */
__device__ inline bool begins(unsigned rank, unsigned found, int digit) {
  return digit == 0 || rank >> digitShift(digit - 1) == found >> digitShift(digit - 1);
}

/**
 * The largest value of a digit such that at least `wanted` of the counted have it or a larger one. Afterwards `above` is how many
 * have a larger one. Called by a whole block; wanted is from 1 to how many are counted. `answer` has two places.
 */
template <int threads>
__device__ inline int digitOf(const int *counts, int values, int wanted, int *answer, int &above) {
  const int each = (values + threads - 1) / threads;
  // Threads take the values from the largest down.
  const int top = values - 1 - (int)threadIdx.x * each;
  int own = 0;
  for (int value = top; value > top - each && value >= 0; value--) own += counts[value];
  int total;
  int before = sumBefore(own, total);
  for (int value = top; value > top - each && value >= 0; value--) {
    if (before < wanted && before + counts[value] >= wanted) {
      answer[0] = value;
      answer[1] = before;
    }
    before += counts[value];
  }
  __syncthreads();
  above = answer[1];
  const int found = answer[0];
  __syncthreads();
  return found;
}

/** Where `keepRow` puts what it keeps, and how many it may put there. */
struct Kept {
  int *indices;
  float *values;
  int most;
};

/**
 * Lists, in order, what has a rank above `bar` and the first `ties` of those that have `bar` itself. z + bias [candidates] are ranked; `names`
 * are the latents' numbers, where they aren't their places. Called by a whole block.
 */
template <int threads>
__device__ inline void keepRow(const float *z, const float *bias, const int *names, int candidates, unsigned bar, int ties,
                               Kept to) {
  int above = 0, equal = 0;
  for (int first = 0; first < candidates; first += threads) {
    const int place = first + threadIdx.x;
    const float value = place < candidates ? z[place] + (bias ? bias[place] : 0.0f) : 0.0f;
    const unsigned rank = rankOf(value);
    const bool isAbove = place < candidates && rank > bar, isEqual = place < candidates && rank == bar;
    int both;
    // Counts both at once, in the two halves of a number.
    const int before = sumBefore((isAbove ? 0x10000 : 0) + (isEqual ? 1 : 0), both);
    const int equalBefore = equal + (before & 0xffff);
    const int at = above + (before >> 16) + min(equalBefore, ties);
    if ((isAbove || (isEqual && equalBefore < ties)) && at < to.most) {
      to.indices[at] = names ? names[place] : place;
      to.values[at] = ofRank(rank);
    }
    above += both >> 16;
    equal += both & 0xffff;
    if (above + min(equal, ties) >= to.most) return;
  }
}

/**
 * The k-th largest rank of a row of z + bias [candidates], and how many of those that have it are among the k largest, `ties`. Called by a whole
 * block; `counts` has digitValues places, `answer` two.
 */
template <int threads>
__device__ inline unsigned barOfRow(const float *z, const float *bias, int candidates, int k, int *counts, int *answer,
                                    int &ties) {
  unsigned found = 0;
  ties = k;
  for (int digit = 0; digit < digits; digit++) {
    const int values = valuesOf(digit);
    for (int value = threadIdx.x; value < values; value += threads) counts[value] = 0;
    __syncthreads();
    for (int place = threadIdx.x; place < candidates; place += threads) {
      const unsigned rank = rankOf(z[place] + (bias ? bias[place] : 0.0f));
      if (begins(rank, found, digit)) atomicAdd(&counts[rank >> digitShift(digit) & (values - 1)], 1);
    }
    __syncthreads();
    int above;
    const int value = digitOf<threads>(counts, values, ties, answer, above);
    found |= (unsigned)value << digitShift(digit);
    ties -= above;
  }
  return found;
}

/** Lists the k largest of a row, ties by lower place. Called by a whole block; `counts` has digitValues places, `answer` two. */
template <int threads>
__device__ inline void topOfRow(const float *z, const float *bias, const int *names, int candidates, int k, Kept to,
                                int *counts, int *answer) {
  int ties;
  const unsigned bar = barOfRow<threads>(z, bias, candidates, k, counts, answer, ties);
  keepRow<threads>(z, bias, names, candidates, bar, ties, to);
}
