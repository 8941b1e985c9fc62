/** What the share of a dictionary's latents that a device holds takes from, and adds to, those of other devices; see fused/spreadKernels.ts. */
#include "rowSelect.cuh"

constexpr int threads = 256;

/** own [count] becomes the sum over ranks, in their order, of this rank's numbers and of those of the others, received [ranks, count]. */
extern "C" __global__ void __launch_bounds__(threads) sumOfRanks(float *own, const float *received, int rank, int ranks, long long count) {
  for (long long i = globalThread(); i < count; i += globalThreads()) {
    float sum = rank == 0 ? own[i] : received[i];
    for (int r = 1; r < ranks; r++) sum += r == rank ? own[i] : received[r * count + i];
    own[i] = sum;
  }
}

/** How many entries a row's list has that has room for `have`: where a `choice` (fusedAuxiliary.cu) has fewer latents, those are all. */
__device__ inline int listed(const int *choice, int have) { return choice ? min(choice[0], have) : have; }

/** out [rows, each] = values [rows, `listed`], with 0 behind. */
extern "C" __global__ void __launch_bounds__(threads)
    padRows(const float *values, const int *choice, float *out, long long count, int most, int each) {
  const int have = listed(choice, most);
  for (long long i = globalThread(); i < count; i += globalThreads()) {
    const int place = (int)(i % each);
    out[i] = place < have ? values[i / each * have + place] : 0.0f;
  }
}

/**
 * A block a row of all [ranks, rows, each], the `each` largest activations of each rank, with 0 where there are fewer. The k largest of these are kept, of
 * equal ones those of lower ranks and places; what isn't positive is not. bars, ties [rows]: the rank (see `rankOf`) of the least that is kept, and how many
 * of this process's that have it; kept [rows]: how many of this process's are kept. Where `each` is less than k, and some rank may have more of the k
 * largest of a row than it has sent, `shortOf` [1] gets the `bit`; all ranks find the same.
 */
extern "C" __global__ void __launch_bounds__(threads)
    barOfRanks(const float *all, int rank, int ranks, int rows, int each, int k, int *bars, int *ties, int *kept, int *shortOf, int bit) {
  __shared__ int counts[digitValues];
  __shared__ int answer[2];
  const int row = blockIdx.x;
  const auto rankAt = [&](int of, int place) { return rankOf(all[((long long)of * rows + row) * each + place]); };
  unsigned bar = 0;
  int wanted = k;
  for (int digit = 0; digit < digits; digit++) {
    const int values = valuesOf(digit);
    for (int value = threadIdx.x; value < values; value += threads) counts[value] = 0;
    __syncthreads();
    for (int of = 0; of < ranks; of++)
      for (int place = threadIdx.x; place < each; place += threads) {
        const unsigned found = rankAt(of, place);
        if (begins(found, bar, digit)) atomicAdd(&counts[found >> digitShift(digit) & (values - 1)], 1);
      }
    __syncthreads();
    int above;
    const int value = digitOf<threads>(counts, values, wanted, answer, above);
    bar |= (unsigned)value << digitShift(digit);
    wanted -= above;
  }
  int lower = 0, above = 0, equal = 0;
  for (int of = 0; of < rank; of++)
    for (int place = threadIdx.x; place < each; place += threads) lower += rankAt(of, place) == bar ? 1 : 0;
  for (int place = threadIdx.x; place < each; place += threads) {
    const unsigned own = rankAt(rank, place);
    above += own > bar ? 1 : 0;
    equal += own == bar ? 1 : 0;
  }
  lower = sumOfBlock(lower);
  above = sumOfBlock(above);
  equal = sumOfBlock(equal);
  bool isShort = false;
  for (int of = 0; of < ranks && each < k; of++) {
    int least = (int)notFinite;
    for (int place = threadIdx.x; place < each; place += threads) least = min(least, (int)rankAt(of, place));
    least = combineBlock(least, (int)notFinite, Smallest());
    isShort |= least > 0 && least >= (int)bar;
  }
  if (threadIdx.x != 0) return;
  const int left = bar == 0 ? 0 : min(equal, max(0, wanted - lower));
  bars[row] = (int)bar;
  ties[row] = left;
  kept[row] = above + left;
  if (isShort) atomicOr(shortOf, bit);
}

/** A block a row. Moves what `barOfRanks` keeps of a row's entries [rows, `listed`] to the lists that `rowStart` [rows + 1] parts. */
extern "C" __global__ void __launch_bounds__(threads)
    listOwn(const int *indices, const float *values, const int *choice, int most, const int *bars, const int *ties, const int *rowStart,
            int *keptIndices, float *keptValues) {
  const long long row = blockIdx.x;
  const int begin = rowStart[row];
  const int count = rowStart[row + 1] - begin;
  if (count == 0) return;
  const int have = listed(choice, most);
  keepRow<threads>(values + row * have, nullptr, indices + row * have, have, (unsigned)bars[row], ties[row],
                   {keptIndices + begin, keptValues + begin, count});
}

/** Of all [ranks, rows]: total [rows] are the sums over ranks, lower [rows] those over ranks below this one. */
extern "C" __global__ void __launch_bounds__(threads) totalsOfRanks(const int *all, int rank, int ranks, int rows, int *total, int *lower) {
  const int row = (int)globalThread();
  if (row >= rows) return;
  int sum = 0;
  for (int r = 0; r < ranks; r++) {
    if (r == rank) lower[row] = sum;
    sum += all[(long long)r * rows + row];
  }
  total[row] = sum;
}

/** to [count] += more [count]. */
extern "C" __global__ void __launch_bounds__(threads) addIntegers(int *to, const int *more, int count) {
  const int i = (int)globalThread();
  if (i < count) to[i] += more[i];
}

/** out [width] is put together from the ranks' shares of it: that of rank r, from ⌊r·width/ranks⌋ on, begins at all [r · stride + offset]. Words of 4 bytes. */
extern "C" __global__ void __launch_bounds__(threads)
    joinShares(const int *all, int stride, int offset, int *out, int width, int ranks) {
  const int latent = (int)globalThread();
  if (latent >= width) return;
  const long long rank = (((long long)latent + 1) * ranks - 1) / width;
  out[latent] = all[rank * stride + offset + latent - rank * width / ranks];
}

/** One block. out [1] = Σ of squares [n] and of the squares of vectors [length]. */
extern "C" __global__ void __launch_bounds__(1024)
    squaresOfShare(const float *squares, int n, const float *vectors, int length, float *out) {
  float sum = 0.0f;
  for (int i = threadIdx.x; i < n; i += 1024) sum += squares[i];
  for (int i = threadIdx.x; i < length; i += 1024) sum = fmaf(vectors[i], vectors[i], sum);
  sum = sumOfBlock(sum);
  if (threadIdx.x == 0) *out = sum;
}

/** fits [1]: whether the entries have the form that their count, where it is on the device, is right for. */
extern "C" __global__ void fitsForm(const int *count, int least, int most, int *fits) {
  *fits = !count || (*count >= least && *count <= most) ? 1 : 0;
}

/** agreed [1] is the count, or where the entries of some rank don't fit, −1, which fits none. */
extern "C" __global__ void agreeOnForm(const int *fits, int ranks, const int *count, int value, int *agreed) {
  bool all = true;
  for (int rank = 0; rank < ranks; rank++) all &= fits[rank] != 0;
  *agreed = !all ? -1 : count ? *count : value;
}
