/**
 * The update of a dictionary's matrices. A block takes the row of a latent: its gradient is summed up in registers from the
 * latent's contributions and is never written to memory. Removing the part of the gradient parallel to the row, Adam and unit norm (Gao et
 * al., 2406.04093, A.1) follow at once, so that the row and its moments are read and written once.
 */
#include "adam.cuh"
#include "narrow.cuh"

/** Contributions whose rows are loaded together: most latents have no more than twice as many. */
constexpr int atOnce = 4;

/** Adds what a latent's contributions [begin, end) say to the thread's columns of its gradient. */
__device__ inline void addContributions(const int4 *list, int begin, int end, const float *source, const float *centre,
                                        bool encoder, Numbers *gradient, int d) {
#pragma unroll
  for (int j = 0; j < COLUMNS; j++) {
    const int column = ((int)threadIdx.x + j * THREADS) * VECTOR;
    if (column >= d) break;
    const Numbers middle = centre ? load(centre + column) : Numbers{};
    for (int place = begin; place < end; place += atOnce) {
      Numbers row[atOnce];
      float factor[atOnce];
      // The last contribution stands in for those that are missing, with a factor of 0, so that all rows are under way together.
#pragma unroll
      for (int n = 0; n < atOnce; n++) {
        const int4 entry = list[min(place + n, end - 1)];
        factor[n] = place + n < end ? __int_as_float(encoder ? entry.w : entry.z) : 0.0f;
        row[n] = load(source + (long long)(encoder ? entry.x : entry.y) * d + column);
      }
#pragma unroll
      for (int n = 0; n < atOnce; n++)
#pragma unroll
        for (int i = 0; i < VECTOR; i++)
          gradient[j].at[i] = fmaf(factor[n], row[n].at[i] - middle.at[i], gradient[j].at[i]);
    }
  }
}

/** Adds a row [d] times a factor to the thread's columns of a gradient. */
__device__ inline void addRow(const float *row, float factor, Numbers *gradient, int d) {
#pragma unroll
  for (int j = 0; j < COLUMNS; j++) {
    const int column = ((int)threadIdx.x + j * THREADS) * VECTOR;
    if (column >= d) break;
    const Numbers own = load(row + column);
    for (int i = 0; i < VECTOR; i++) gradient[j].at[i] = fmaf(factor, own.at[i], gradient[j].at[i]);
  }
}

/** The columns of a row that belong to the thread. */
__device__ inline void loadRow(const float *from, Numbers *row, int d) {
#pragma unroll
  for (int j = 0; j < COLUMNS; j++) {
    const int column = ((int)threadIdx.x + j * THREADS) * VECTOR;
    if (column < d) row[j] = load(from + column);
  }
}

__device__ inline void storeRow(float *to, const Numbers *row, int d) {
#pragma unroll
  for (int j = 0; j < COLUMNS; j++) {
    const int column = ((int)threadIdx.x + j * THREADS) * VECTOR;
    if (column < d) store(to + column, row[j]);
  }
}

__device__ inline float dotOf(const Numbers *a, const Numbers *b) {
  float sum = 0.0f;
#pragma unroll
  for (int j = 0; j < COLUMNS; j++)
    for (int i = 0; i < VECTOR; i++) sum = fmaf(a[j].at[i], b[j].at[i], sum);
  return sum;
}

/**
 * The size of a row that has blocks of columns, which end at `ends`: Σ ‖w_l‖. With `normal` also its gradient, w_l / ‖w_l‖ in block l.
 */
__device__ inline float sizeOfRow(const Numbers *row, Numbers *normal, const int *ends, int blocks) {
  float size = 0.0f;
  int from = 0;
  for (int block = 0; block < blocks; block++) {
    const int end = ends[block];
    float square = 0.0f;
#pragma unroll
    for (int j = 0; j < COLUMNS; j++)
      for (int i = 0; i < VECTOR; i++) {
        const int column = ((int)threadIdx.x + j * THREADS) * VECTOR + i;
        if (column >= from && column < end) square = fmaf(row[j].at[i], row[j].at[i], square);
      }
    const float norm = sqrtf(sumOfBlock(square));
    if (normal) {
#pragma unroll
      for (int j = 0; j < COLUMNS; j++)
        for (int i = 0; i < VECTOR; i++) {
          const int column = ((int)threadIdx.x + j * THREADS) * VECTOR + i;
          if (column >= from && column < end) normal[j].at[i] = row[j].at[i] / fmaxf(norm, 1e-30f);
        }
    }
    size += norm;
    from = end;
  }
  return size;
}

// Sizes of blocks of a long row take registers that two resident blocks don't leave.
#if BLOCKED && COLUMNS > 1
#define RESIDENT 1
#else
#define RESIDENT BLOCKS
#endif

/**
 * A block a latent, for one matrix. GIVEN: its gradient is in memory, as `source` [latents, d]. Otherwise it is the sum of the contributions of
 * one loss term or two, whose sources [rows, d] are x or errors, and of the row, or with BLOCKED of the gradient of its size, times `pulls` [latents],
 * where there are any. Latents that have one of the `places` [latents] get that row of `placeRows` too, times the scale.
 * With BLOCKED the row has blocks of columns, `blocks` of them, which end at `blockEnds`; its size is the sum of their norms.
 * With NARROW the new row is also written to the matrix's copy in bfloat16, with the new `bias` [latents] where it is W_enc; see narrow.cuh.
 * PURPOSE 0 writes the gradient to `out` [latents, d], 1 its squared norm to `out` [latents], and 2 takes an Adam step.
 */
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
    updateRows(const int *starts, const int *ends, const int4 *list, const float *source, const int *secondStarts,
               const int *secondEnds, const int4 *secondList, const float *secondSource, const int *places, const float *placeRows, const float *placeScale,
               const float *centre, const float *pulls, int encoder,
               float *w, float *first, float *second, float *out, const float *clip, int unitNorm, float rate,
               float beta1, float rest1, float beta2, float rest2, float root, float epsilon, const float *ofStep, const int *count,
               int least, int most, const float *bias, unsigned short *copies, float *norms,
               const int *blockEnds, int blocks, int d) {
  const int latent = blockIdx.x;
  const long long at = (long long)latent * d;
  Numbers gradient[COLUMNS] = {};
  Numbers row[COLUMNS] = {};
#if PURPOSE == 2
  if (!isOpen(count, least, most)) return;
  Numbers m[COLUMNS] = {}, v[COLUMNS] = {};
  // Under way while the gradient is summed up, where registers suffice.
  constexpr bool early = COLUMNS <= 4;
  if constexpr (early) {
    loadRow(first + at, m, d);
    loadRow(second + at, v, d);
  }
#endif
  if (PURPOSE == 2 || pulls) loadRow(w + at, row, d);
#if BLOCKED
  Numbers normal[COLUMNS] = {};
  if (unitNorm || pulls) sizeOfRow(row, normal, blockEnds, blocks);
#else
  // The length of what a gradient's part is removed along is of no account.
  [[maybe_unused]] const Numbers(&normal)[COLUMNS] = row;
#endif
#if GIVEN
  loadRow(source + at, gradient, d);
#else
  addContributions(list, starts[latent], ends[latent], source, centre, encoder != 0, gradient, d);
  if (secondStarts)
    addContributions(secondList, secondStarts[latent], secondEnds[latent], secondSource, centre, encoder != 0,
                     gradient, d);
  if (places && places[latent] >= 0) addRow(placeRows + (long long)places[latent] * d, *placeScale, gradient, d);
  if (pulls) {
    const float pull = pulls[latent];
#pragma unroll
    for (int j = 0; j < COLUMNS; j++)
      for (int i = 0; i < VECTOR; i++) gradient[j].at[i] = fmaf(pull, normal[j].at[i], gradient[j].at[i]);
  }
#endif
#if PURPOSE == 0
  storeRow(out + at, gradient, d);
#elif PURPOSE == 1
  const float square = sumOfBlock(dotOf(gradient, gradient));
  if (threadIdx.x == 0) out[latent] = square;
#else
  const float clipped = clip ? *clip : 1.0f;
#pragma unroll
  for (int j = 0; j < COLUMNS; j++)
    for (int i = 0; i < VECTOR; i++) gradient[j].at[i] *= clipped;
  if (unitNorm) {
    const float along = sumOfBlock(dotOf(gradient, normal));
    const float square = sumOfBlock(dotOf(normal, normal));
    const float parallel = along / fmaxf(square, 1e-30f);
#pragma unroll
    for (int j = 0; j < COLUMNS; j++)
      for (int i = 0; i < VECTOR; i++) gradient[j].at[i] -= parallel * normal[j].at[i];
  }
  // Not before it is needed: registers are short.
  const Adam adam = adamOf({rate, beta1, rest1, beta2, rest2, root, epsilon}, ofStep);
#pragma unroll
  for (int j = 0; j < COLUMNS; j++) {
    const int column = ((int)threadIdx.x + j * THREADS) * VECTOR;
    if (column >= d) break;
    if constexpr (!early) {
      m[j] = load(first + at + column);
      v[j] = load(second + at + column);
    }
#pragma unroll
    for (int i = 0; i < VECTOR; i++)
      row[j].at[i] = adamStep(adam, row[j].at[i], gradient[j].at[i], m[j].at[i], v[j].at[i]);
    store(first + at + column, m[j]);
    store(second + at + column, v[j]);
  }
  if (unitNorm) {
#if BLOCKED
    const float size = sizeOfRow(row, nullptr, blockEnds, blocks);
#else
    const float size = sqrtf(sumOfBlock(dotOf(row, row)));
#endif
    const float norm = fmaxf(size, 1e-30f);
#pragma unroll
    for (int j = 0; j < COLUMNS; j++)
      for (int i = 0; i < VECTOR; i++) row[j].at[i] /= norm;
  }
  storeRow(w + at, row, d);
#if NARROW
  narrowRow(row, bias ? bias[latent] : 0.0f, !bias, copies + (long long)latent * narrowWidth(d), reinterpret_cast<Norms *>(norms) + latent, d);
#endif
#endif
}
