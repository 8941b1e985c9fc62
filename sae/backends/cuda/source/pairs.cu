// Which entries of a block of a product a·bᵀ may enter the lists of the best pairs: see sae/ops/topPairs.ts.
#include "prelude.cuh"

// Lists row, column and value of each entry of product [rows, columns] that exceeds the bar of its row or of its column, in any order. The block
// starts at (firstRow, firstColumn); offsets and bars are those of all rows and columns. count must be 0 before; it counts also what
// the list [capacity, 3] has no place for.
extern "C" __global__ void pairCandidates(const float* product, const float* rowOffset, const float* columnOffset, const float* rowBar,
                                          const float* columnBar, int firstRow, int firstColumn, int rows, int columns, unsigned* count,
                                          unsigned* list, unsigned capacity) {
  const unsigned entries = (unsigned)rows * (unsigned)columns, lane = threadIdx.x % 32;
  for (long long base = (long long)blockIdx.x * blockDim.x; base < entries; base += globalThreads()) {
    const unsigned entry = (unsigned)base + threadIdx.x;
    int row = 0, column = 0;
    float value = 0.0f;
    bool listed = false;
    if (entry < entries) {
      row = firstRow + (int)(entry / (unsigned)columns);
      column = firstColumn + (int)(entry % (unsigned)columns);
      value = product[entry];
      listed = value - columnOffset[column] > rowBar[row] || value - rowOffset[row] > columnBar[column];
    }
    const unsigned ofWarp = __ballot_sync(wholeWarp, listed);
    if (ofWarp == 0) continue;
    unsigned first = 0;
    if (lane == 0) first = atomicAdd(count, (unsigned)__popc(ofWarp));
    const unsigned at = __shfl_sync(wholeWarp, first, 0) + __popc(ofWarp & ((1u << lane) - 1u));
    if (!listed || at >= capacity) continue;
    list[3 * at] = (unsigned)row;
    list[3 * at + 1] = (unsigned)column;
    list[3 * at + 2] = __float_as_uint(value);
  }
}
