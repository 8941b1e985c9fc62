#include "narrow.cuh"

/** A block a row. Copies of rows − centre in bfloat16 and their norms; with `bias` [rows] they are rows of W_enc, without inputs. */
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) narrowRows(const float *rows, const float *centre,
                                                                        const float *bias, unsigned short *copies,
                                                                        float *norms, int d) {
  const long long at = blockIdx.x;
  Numbers row[COLUMNS] = {};
#pragma unroll
  for (int j = 0; j < COLUMNS; j++) {
    const int column = ((int)threadIdx.x + j * THREADS) * VECTOR;
    if (column >= d) break;
    row[j] = load(rows + at * d + column);
    if (!centre) continue;
    const Numbers middle = load(centre + column);
    for (int i = 0; i < VECTOR; i++) row[j].at[i] -= middle.at[i];
  }
  narrowRow(row, bias ? bias[at] : 0.0f, !bias, copies + at * narrowWidth(d), reinterpret_cast<Norms *>(norms) + at, d);
}
