/** Pre-activations of the rows of a batch: of most rows those that may matter, of some all. */
#pragma once
#include "prelude.cuh"

struct ListedRow {
  const float *z;
  /** Ascending; null where they are all. */
  const int *latents;
  int count;
};

/**
 * Row b has `listed`[b] latents and values in slots [rows, capacity], or all of them in row fullOf[b] of `full` [rows, latents] where that is at least
 * 0. Without `fullOf` all rows are full, each in its own place.
 */
__device__ inline ListedRow listedRow(int row, const int *slotLatents, const float *slotValues, const int *listed,
                                      const int *fullOf, const float *full, int capacity, int latents) {
  const int at = fullOf ? fullOf[row] : row;
  if (at >= 0) return {full + (long long)at * latents, nullptr, latents};
  const long long slot = (long long)row * capacity;
  return {slotValues + slot, slotLatents + slot, listed[row]};
}
