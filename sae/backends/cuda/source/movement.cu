// Everything that only moves elements: boxes between strides, transposes, gathers.
#include "prelude.cuh"

// Elements are moved by their size; 16 bytes are four elements that lie together on both sides.
struct Box {
  int sizes[5], from[6], to[6];
};
template <class T>
__device__ inline void copyElements(const T* from, T* to, unsigned count, const Box& box) {
  for (long long i = globalThread(); i < count; i += globalThreads()) {
    unsigned rest = (unsigned)i;
    long long source = 0, target = 0;
#pragma unroll
    for (int axis = 0; axis < 5; axis++) {
      const unsigned size = (unsigned)box.sizes[axis], quotient = rest / size, at = rest - quotient * size;
      source += (long long)at * box.from[axis];
      target += (long long)at * box.to[axis];
      rest = quotient;
    }
    to[target + (long long)rest * box.to[5]] = from[source + (long long)rest * box.from[5]];
  }
}

// Copies a box of `count` elements of `bytes` bytes: sizes n0 (innermost) to n4, the outermost being what remains, and strides of six
// axes on both sides, all in elements. Sizes past the rank are 1.
extern "C" __global__ void copyBox(int bytes, const unsigned char* from, long long fromOffset, unsigned char* to, long long toOffset,
                                   unsigned count, int n0, int n1, int n2, int n3, int n4, int a0, int a1, int a2, int a3, int a4, int a5,
                                   int b0, int b1, int b2, int b3, int b4, int b5) {
  const Box box = {{n0, n1, n2, n3, n4}, {a0, a1, a2, a3, a4, a5}, {b0, b1, b2, b3, b4, b5}};
  if (bytes == 16) copyElements((const uint4*)from + fromOffset, (uint4*)to + toOffset, count, box);
  else if (bytes == 4) copyElements((const unsigned*)from + fromOffset, (unsigned*)to + toOffset, count, box);
  else copyElements(from + fromOffset, to + toOffset, count, box);
}

// y[b, j, i] = x[b, i, j] in tiles of 32 × 32 that pass through shared memory, so that both sides are read and written in whole lines.
// 32 × 8 threads; the blocks of one matrix, `across` by `down`, follow one another.
extern "C" __global__ void transposeTiles(const unsigned* x, unsigned* y, int rows, int columns) {
  __shared__ unsigned tile[32][33];
  const int across = (columns + 31) / 32, down = (rows + 31) / 32;
  const int block = blockIdx.x % (across * down);
  const long long matrix = (long long)(blockIdx.x / (across * down)) * rows * columns;
  const int lane = threadIdx.x % 32, part = threadIdx.x / 32;
  const int firstColumn = block % across * 32, firstRow = block / across * 32;
  const int column = firstColumn + lane, row = firstRow + lane;
  for (int r = part; r < 32; r += 8)
    if (column < columns && firstRow + r < rows) tile[r][lane] = x[matrix + (long long)(firstRow + r) * columns + column];
  __syncthreads();
  for (int c = part; c < 32; c += 8)
    if (row < rows && firstColumn + c < columns) y[matrix + (long long)(firstColumn + c) * rows + row] = tile[lane][c];
}

template <class T>
__device__ inline void gatherElements(const T* x, const int* index, T* y, long long count, int n, int places, int inner, T outside) {
  for (long long i = globalThread(); i < count; i += globalThreads()) {
    const long long row = i / inner;
    const int at = index[row % places];
    y[i] = at >= 0 && at < n ? x[(row / places * n + at) * inner + i % inner] : outside;
  }
}
// y [outer, places, inner] = x [outer, n, inner] at the indices [places]. Elements of `bytes` bytes (16: four floats); an index outside of x
// gives NaN, read as a float.
extern "C" __global__ void gather(int bytes, const unsigned char* x, const int* index, unsigned char* y, long long count, int n, int places,
                                  int inner) {
  const unsigned bad = 0x7fc00000u;
  if (bytes == 16) gatherElements((const uint4*)x, index, (uint4*)y, count, n, places, inner, make_uint4(bad, bad, bad, bad));
  else if (bytes == 4) gatherElements((const unsigned*)x, index, (unsigned*)y, count, n, places, inner, bad);
  else gatherElements(x, index, y, count, n, places, inner, (unsigned char)255);
}

// The place of each of `count` indices of `depth` numbers in a tensor, in slices; −1 outside of it. strides [depth] in slices.
extern "C" __global__ void flatIndices(const int* indices, int* flat, int count, int depth, int n0, int n1, int n2, int n3, int n4, int n5) {
  const int sizes[6] = {n0, n1, n2, n3, n4, n5};
  for (long long i = globalThread(); i < count; i += globalThreads()) {
    int place = 0;
#pragma unroll
    for (int axis = 0; axis < 6; axis++) {
      if (axis >= depth) break;
      const int at = indices[i * depth + axis];
      place = place < 0 || at < 0 || at >= sizes[axis] ? -1 : place * sizes[axis] + at;
    }
    flat[i] = place;
  }
}

// Rows of `classes` numbers: `on` at the index, `off` elsewhere; their bits are given.
extern "C" __global__ void oneHot(const int* index, unsigned* y, long long count, int classes, unsigned on, unsigned off) {
  for (long long i = globalThread(); i < count; i += globalThreads()) y[i] = index[i / classes] == i % classes ? on : off;
}
extern "C" __global__ void oneHotBool(const int* index, unsigned char* y, long long count, int classes, int on, int off) {
  for (long long i = globalThread(); i < count; i += globalThreads()) y[i] = (unsigned char)(index[i / classes] == i % classes ? on : off);
}

