/** The largest activations of a whole batch. */
#include "rowSelect.cuh"
#include "listedRows.cuh"

constexpr int threads = 256;

/** What `state` [2] has as the digits found where no activation is positive. Otherwise state[1] is how many are wanted that begin with the digits. */
constexpr unsigned nothingKept = 0x7fffffffu;

/** counts [digitValues] += how many positive activations that begin with the digits found have each value of the next one. */
extern "C" __global__ void __launch_bounds__(threads)
    countDigits(const int *slotLatents, const float *slotValues, const int *listed, const int *fullOf, const float *full,
                int capacity, const int *state, int digit, int rows, int latents, int *counts) {
  __shared__ int own[digitValues];
  const int values = valuesOf(digit);
  const unsigned found = (unsigned)state[0];
  for (int value = threadIdx.x; value < values; value += threads) own[value] = 0;
  __syncthreads();
  for (int row = blockIdx.x; row < rows; row += gridDim.x) {
    const ListedRow from = listedRow(row, slotLatents, slotValues, listed, fullOf, full, capacity, latents);
    for (int i = threadIdx.x; i < from.count; i += threads) {
      const unsigned rank = rankOf(from.z[i]);
      if (rank > 0u && begins(rank, found, digit)) atomicAdd(&own[rank >> digitShift(digit) & (values - 1)], 1);
    }
  }
  __syncthreads();
  for (int value = threadIdx.x; value < values; value += threads)
    if (own[value] > 0) atomicAdd(&counts[value], own[value]);
}

/** One block. Finds the next digit in `state`, and with the last one `least` [1], the least activation kept; sets the counts to 0. */
extern "C" __global__ void __launch_bounds__(threads) chooseDigit(int *counts, int *state, int digit, float *least) {
  __shared__ int answer[2];
  const int values = valuesOf(digit);
  int own = 0;
  for (int value = threadIdx.x; value < values; value += threads) own += counts[value];
  const int all = sumOfBlock(own);
  // Where fewer are positive than were asked for, all of those are kept.
  const int wanted = min(state[1], all);
  const unsigned before = (unsigned)state[0];
  unsigned found = nothingKept;
  int above = 0;
  if (before != nothingKept && wanted > 0) {
    const int value = digitOf<threads>(counts, values, wanted, answer, above);
    found = before | (unsigned)value << digitShift(digit);
  }
  __syncthreads();
  for (int value = threadIdx.x; value < values; value += threads) counts[value] = 0;
  if (threadIdx.x != 0) return;
  state[0] = (int)found;
  state[1] = wanted - above;
  if (digit == digits - 1) *least = found == nothingKept ? 0.0f : ofRank(found);
}

/** A block a row. above, equal [rows]: how many activations have a larger rank than the least one kept, and how many the same. */
extern "C" __global__ void __launch_bounds__(threads)
    countKept(const int *slotLatents, const float *slotValues, const int *listed, const int *fullOf, const float *full,
              int capacity, const int *state, int latents, int *above, int *equal) {
  const ListedRow from = listedRow(blockIdx.x, slotLatents, slotValues, listed, fullOf, full, capacity, latents);
  const unsigned bar = (unsigned)state[0];
  int higher = 0, same = 0;
  for (int i = threadIdx.x; i < from.count; i += threads) {
    const unsigned rank = rankOf(from.z[i]);
    higher += rank > bar ? 1 : 0;
    same += rank == bar ? 1 : 0;
  }
  higher = sumOfBlock(higher);
  same = sumOfBlock(same);
  if (threadIdx.x != 0) return;
  above[blockIdx.x] = higher;
  equal[blockIdx.x] = same;
}

/** kept [rows]: how many activations of each row are kept, if `before` [rows] equal ones are in lower rows. */
extern "C" __global__ void __launch_bounds__(threads) keptByRow(const int *state, const int *above, const int *equal,
                                                               const int *before, int *kept, int rows) {
  const int row = blockIdx.x * threads + threadIdx.x;
  if (row < rows) kept[row] = above[row] + min(equal[row], max(0, state[1] - before[row]));
}

/** A block a row. Lists what is kept. */
extern "C" __global__ void __launch_bounds__(threads)
    listKept(const int *slotLatents, const float *slotValues, const int *listed, const int *fullOf, const float *full,
             int capacity, const int *state, const int *before, const int *rowStart, int latents, int *indices,
             float *values) {
  const ListedRow from = listedRow(blockIdx.x, slotLatents, slotValues, listed, fullOf, full, capacity, latents);
  const int begin = rowStart[blockIdx.x];
  const int count = rowStart[blockIdx.x + 1] - begin;
  if (count == 0) return;
  keepRow<threads>(from.z, nullptr, from.latents, from.count, (unsigned)state[0],
                   max(0, state[1] - before[blockIdx.x]), {indices + begin, values + begin, count});
}
