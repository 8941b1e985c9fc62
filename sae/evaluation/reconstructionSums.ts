/**
 * How well a dictionary reconstructs, from sums over all tokens seen (METHODS.md §2). Means and ratios are
 * taken of these sums only, never of a batch, so that the result does not depend on the batch size.
 */
import type { SparseCode } from '../autoencoders/autoencoder.ts';
import { finiteOrNull } from '../numerics/finiteOrNull.ts';

export interface ReconstructionMetrics {
  tokens: number;
  /** Mean number of latents that fire on a token. */
  l0: number;
  /** Σ‖x − x̂‖² / Σ‖x − x̄‖², x̄ the mean over all tokens; null where x does not vary. */
  fvu: number | null;
  /** 1 − FVU. */
  explainedVariance: number | null;
  /** Mean over tokens of ‖x − x̂‖². */
  mse: number;
  /** γ = argmin E‖x̂/γ − x‖² = Σ‖x̂‖² / Σ x̂·x (Rajamanoharan et al., 2404.16014): below 1 when x̂ is shrunk; null where Σ x̂·x is 0. */
  reconstructionBias: number | null;
  /** Mean cosine of x and x̂; a token where either is zero counts as 0. */
  cosine: number;
  /** Share of latents that fired on no token. */
  deadFraction: number;
}

export class ReconstructionSums {
  readonly d: number;
  /** Tokens on which each latent fired [latents]. */
  readonly firings: Float64Array;
  tokens = 0;
  #entries = 0;
  /** [d]: the first token, which is subtracted from all of them, so that a large common offset does not cost precision. */
  #origin: Float64Array | undefined;
  #offsetSum: Float64Array;
  #offsetSquares = 0;
  #errorSquares = 0;
  #outputSquares = 0;
  #inputOutput = 0;
  #cosines = 0;

  constructor(d: number, latents: number) {
    this.d = d;
    this.firings = new Float64Array(latents);
    this.#offsetSum = new Float64Array(d);
  }

  /** Adds a batch: x and xHat [rows, d], and `code`, the latents that fired on those rows. */
  add(x: Float32Array, xHat: Float32Array, code: SparseCode): void {
    const { d } = this;
    const rows = x.length / d;
    this.#origin ??= Float64Array.from(x.subarray(0, d));
    const origin = this.#origin;
    const offsetSum = this.#offsetSum;
    for (let row = 0; row < rows; row++) {
      let offset = 0;
      let error = 0;
      let input = 0;
      let output = 0;
      let product = 0;
      for (let j = 0, at = row * d; j < d; j++, at++) {
        const a = x[at];
        const b = xHat[at];
        const shifted = a - origin[j];
        offsetSum[j] += shifted;
        offset += shifted * shifted;
        error += (a - b) * (a - b);
        input += a * a;
        output += b * b;
        product += a * b;
      }
      this.#offsetSquares += offset;
      this.#errorSquares += error;
      this.#outputSquares += output;
      this.#inputOutput += product;
      if (input > 0 && output > 0) this.#cosines += product / Math.sqrt(input * output);
    }
    for (const latent of code.indices) this.firings[latent]++;
    this.#entries += code.indices.length;
    this.tokens += rows;
  }

  /** x̄ over the tokens seen [d]. */
  mean(): Float32Array {
    const origin = this.#origin ?? new Float64Array(this.d);
    return Float32Array.from(origin, (o, j) => o + this.#offsetSum[j] / this.tokens);
  }

  metrics(): ReconstructionMetrics {
    const { tokens } = this;
    const meanSquares = this.#offsetSum.reduce((sum, value) => sum + (value / tokens) ** 2, 0);
    const variance = this.#offsetSquares - tokens * meanSquares;
    const fvu = finiteOrNull(this.#errorSquares / variance);
    return {
      tokens,
      l0: this.#entries / tokens,
      fvu,
      explainedVariance: fvu === null ? null : 1 - fvu,
      mse: this.#errorSquares / tokens,
      reconstructionBias: finiteOrNull(this.#outputSquares / this.#inputOutput),
      cosine: this.#cosines / tokens,
      deadFraction: this.firings.filter((n) => n === 0).length / this.firings.length,
    };
  }
}
