/**
 * What the entries of a latent contribute to the gradients (METHODS.md §1), in the order of rows, and the sums of the contributions
 * that are gradients of vectors. A warp takes a latent.
 */
#include "fused.cuh"

constexpr int threads = 256;
constexpr int latentsAtOnce = threads / warpThreads;


/** A number that is on the device, where there is a pointer, and at hand otherwise. */
__device__ inline float valueOf(const float *pointer, float value) { return pointer ? *pointer : value; }

/**
 * Entries of one loss term. `threshold` is null unless the thresholds learn; `gateValues` is null unless there is a gate, whose
 * pre-activations it has at the places of the entries. With `add` the sums are added to those of an earlier term.
 *
 * list [entries], of each latent from latentStart to ends [latents] only those that contribute to its rows: row of x, row of the errors, factor of the error's row in ∂W_dec, and that of the row of x − centre in ∂W_enc, by its bits.
 * sums [6, latents]: Σ of the latter, ∂b_enc, ∂ log θ, ∂r, ∂b_mag, and the factor of the decoder's row, or where it has blocks of the gradient of its size, that comes from the penalty
 * l1 · Σ f ‖W_dec‖. A row's blocks of columns end at `blockEnds`, where there are any.
 */
extern "C" __global__ void __launch_bounds__(threads)
    contributions(const int *latentStart, const int2 *order, const float *values, const float *dots,
                  const float *scalePointer, float scaleValue, const float *l1Pointer, float l1Value, const float *wDec, const float *threshold,
                  float bandwidth, const float *l0GradientPointer, float l0GradientValue, const float *gateValues,
                  const float *gateDots, const float *gain, const float *bMag, float gateScale,
                  const float *gateL1Pointer, float gateL1Value, const int *prefixEnds, int prefixes, int add,
                  const int *blockEnds, int blocks, int4 *list, int *ends, float *sums, int latents, int rows, int d) {
  const int latent = blockIdx.x * latentsAtOnce + threadIdx.x / warpThreads;
  const int lane = threadIdx.x % warpThreads;
  if (latent >= latents) return;
  const int begin = latentStart[latent], end = latentStart[latent + 1];
  const float scale = valueOf(scalePointer, scaleValue);
  const float l1 = valueOf(l1Pointer, l1Value), gateL1 = valueOf(gateL1Pointer, gateL1Value);
  const float l0Gradient = valueOf(l0GradientPointer, l0GradientValue);
  const float theta = threshold ? threshold[latent] : 0.0f;
  // Of the row: its norm, or the sum of those of its blocks.
  float norm = 0.0f;
  if (l1 != 0.0f && begin < end)
    for (int part = 0, from = 0; part < max(blocks, 1); part++) {
      const int to = blockEnds ? blockEnds[part] : d;
      float square = 0.0f;
      for (int column = from + lane; column < to; column += warpThreads) {
        const float w = wDec[(long long)latent * d + column];
        square = fmaf(w, w, square);
      }
      norm += sqrtf(warpTotal(square));
      from = to;
    }
  int block = 0;
  while (block + 1 < prefixes && prefixEnds[block] <= latent) block++;
  float slopeSum = 0.0f, biasSum = 0.0f, thetaSum = 0.0f, gainSum = 0.0f, magnitudeSum = 0.0f, activationSum = 0.0f;
  int kept = begin;
  for (int first = begin; first < end; first += warpThreads) {
    const int place = first + lane;
    const bool there = place < end;
    const int row = there ? order[place].x : 0, entry = there ? order[place].y : 0;
    // Lanes without an entry have one that doesn't fire and isn't in the band.
    const float z = there ? values[entry] : -infinity();
    const bool on = fires(z, theta);
    const float gradient = there ? fmaf(scale, dots[entry], l1 * norm) : 0.0f;
    float slope = on ? gradient : 0.0f;
    if (threshold && fabsf(z - theta) < bandwidth / 2) thetaSum -= (gradient * theta + l0Gradient) / bandwidth;
    if (gateValues) {
      gainSum += slope * ((on ? z : 0.0f) - bMag[latent]);
      magnitudeSum += slope;
      const float byGate = there && fires(gateValues[entry], 0.0f) ? fmaf(gateScale, gateDots[entry], gateL1) : 0.0f;
      biasSum += byGate;
      slope = fmaf(slope, gain[latent], byGate);
    } else {
      biasSum += slope;
    }
    slopeSum += slope;
    activationSum += on ? z : 0.0f;
    const float coefficient = on ? scale * z : 0.0f;
    const bool contributes = there && (slope != 0.0f || coefficient != 0.0f);
    const unsigned all = __ballot_sync(wholeWarp, contributes);
    if (contributes)
      list[kept + __popc(all & ((1u << lane) - 1u))] =
          make_int4(row, block * rows + row, __float_as_int(coefficient), __float_as_int(slope));
    kept += __popc(all);
  }
  const float totals[6] = {warpTotal(slopeSum),           warpTotal(biasSum),
                           warpTotal(thetaSum) * theta,   warpTotal(gainSum),
                           warpTotal(magnitudeSum),       warpTotal(activationSum) * l1 / (blockEnds ? 1.0f : fmaxf(norm, 1e-30f))};
  if (lane != 0) return;
  ends[latent] = kept;
#pragma unroll
  for (int sum = 0; sum < 6; sum++) {
    float *to = sums + (long long)sum * latents + latent;
    *to = add ? *to + totals[sum] : totals[sum];
  }
}

/** list [entries] for Sᵀ·g: each entry's coefficient is its value. */
extern "C" __global__ void __launch_bounds__(threads) outerList(const int *latentStart, const int2 *order,
                                                               const float *values, int4 *list, int latents) {
  for (int place = blockIdx.x * threads + threadIdx.x; place < latentStart[latents]; place += gridDim.x * threads) {
    const int value = __float_as_int(values[order[place].y]);
    list[place] = make_int4(order[place].x, order[place].x, value, value);
  }
}
