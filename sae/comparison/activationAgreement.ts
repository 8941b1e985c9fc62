/**
 * Do matched latents fire on the same tokens, and as strongly? Two accumulators over sparse codes of the same
 * rows: Pearson correlation on the union of firings, and Jaccard of firing. On the union, because latents are silent
 * on almost every token, and agreeing on those would push every correlation towards 1.
 */
import type { SparseCode } from '../autoencoders/autoencoder.ts';

export class ActivationAgreement {
  readonly #match: Int32Array;
  readonly #latentOf: Int32Array;
  /** [latents of b]: b's activations on the row being added; set back to zero after each row. */
  readonly #row: Float64Array;
  readonly #union: Float64Array;
  readonly #both: Float64Array;
  readonly #x: Float64Array;
  readonly #y: Float64Array;
  readonly #xx: Float64Array;
  readonly #yy: Float64Array;
  readonly #xy: Float64Array;

  /** match [latents of a]: the latent of b that each latent of a is compared with, one-to-one; −1 for none. */
  constructor(match: Int32Array, latentsOfB: number) {
    this.#match = match;
    this.#latentOf = new Int32Array(latentsOfB).fill(-1);
    match.forEach((j, i) => {
      if (j >= 0) this.#latentOf[j] = i;
    });
    this.#row = new Float64Array(latentsOfB);
    const zeros = () => new Float64Array(match.length);
    this.#union = zeros();
    this.#both = zeros();
    this.#x = zeros();
    this.#y = zeros();
    this.#xx = zeros();
    this.#yy = zeros();
    this.#xy = zeros();
  }

  /** Codes of the same rows by both dictionaries. */
  add(a: SparseCode, b: SparseCode): void {
    for (let row = 0; row < a.rows; row++) {
      for (let e = b.rowStart[row]; e < b.rowStart[row + 1]; e++) this.#row[b.indices[e]] = b.values[e];
      for (let e = a.rowStart[row]; e < a.rowStart[row + 1]; e++) {
        const i = a.indices[e];
        const j = this.#match[i];
        if (j < 0) continue;
        const x = a.values[e];
        const y = this.#row[j];
        this.#union[i]++;
        this.#x[i] += x;
        this.#xx[i] += x * x;
        if (y === 0) continue;
        this.#both[i]++;
        this.#y[i] += y;
        this.#yy[i] += y * y;
        this.#xy[i] += x * y;
        // This latent is counted now, so that whatever is left in the row afterwards fired in b alone.
        this.#row[j] = 0;
      }
      for (let e = b.rowStart[row]; e < b.rowStart[row + 1]; e++) {
        const j = b.indices[e];
        const y = this.#row[j];
        this.#row[j] = 0;
        const i = this.#latentOf[j];
        if (y === 0 || i < 0) continue;
        this.#union[i]++;
        this.#y[i] += y;
        this.#yy[i] += y * y;
      }
    }
  }

  /** [latents of a]: tokens on which both latents fire over tokens on which either does; NaN where neither ever fired or there is no counterpart. */
  jaccard(): Float64Array {
    return this.#union.map((union, i) => this.#both[i] / union);
  }

  /** [latents of a]: Pearson correlation over tokens on which either latent fires; NaN for fewer than two such tokens or a side that does not vary. */
  correlation(): Float64Array {
    return this.#union.map((n, i) => {
      const varianceX = n * this.#xx[i] - this.#x[i] ** 2;
      const varianceY = n * this.#yy[i] - this.#y[i] ** 2;
      // Below this share of the sum of squares the difference is rounding, not variance.
      if (n < 2 || varianceX <= 1e-12 * n * this.#xx[i] || varianceY <= 1e-12 * n * this.#yy[i]) return NaN;
      return (n * this.#xy[i] - this.#x[i] * this.#y[i]) / Math.sqrt(varianceX * varianceY);
    });
  }
}
