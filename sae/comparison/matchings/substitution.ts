/**
 * The substitution test on the reconstruction (METHODS.md §11): what becomes of the squared error when latent i's part of x̂ is replaced by
 * latent j's of the other dictionary, in its own units. With e = x − x̂ the error grows by
 * Σ_t 2 e·(f d − g c) + ‖f d − g c‖², and when i is only taken out by Σ_t 2 f e·d + f²‖d‖². All but Σ_t f g is a sum of one latent.
 */
import type { SparseCode } from '../../autoencoders/autoencoder.ts';
import { productOf, type FiringLists } from './firingLists.ts';

/** Σ_t f(t) e(t)·d of each latent [latents], over rows added some at a time. */
export class ErrorProducts {
  readonly sums: Float64Array;
  readonly #wDec: Float32Array;
  readonly #d: number;

  /** wDec [latents, d], not necessarily of unit norm. */
  constructor({ wDec, latents, d }: { wDec: Float32Array; latents: number; d: number }) {
    this.sums = new Float64Array(latents);
    this.#wDec = wDec;
    this.#d = d;
  }

  /** error [rows, d], that of the dictionary whose latents are replaced; the code of the latents of this one. */
  add(error: Float32Array, { rows, rowStart, indices, values }: SparseCode): void {
    const d = this.#d;
    for (let row = 0; row < rows; row++)
      for (let e = rowStart[row]; e < rowStart[row + 1]; e++) {
        let product = 0;
        for (let k = 0, p = row * d, q = indices[e] * d; k < d; k++, p++, q++)
          product += error[p] * this.#wDec[q];
        this.sums[indices[e]] += values[e] * product;
      }
  }
}

export interface SubstitutedSide {
  readonly firings: FiringLists;
  readonly wDec: Float32Array; // [latents, d]
  readonly d: number;
  /** Σ f e·d [latents], of a's error on both sides. */
  readonly products: Float64Array;
}

export class Substitution {
  readonly #a: SubstitutedSide;
  readonly #b: SubstitutedSide;
  /** [latents of a]: by how much the summed squared error grows when the latent is taken out. */
  readonly ablated: Float64Array;

  constructor(a: SubstitutedSide, b: SubstitutedSide) {
    this.#a = a;
    this.#b = b;
    this.ablated = a.products.map((product, i) => 2 * product + squaresOf(a, i));
  }

  /**
   * 1 − (error grown by the replacement)/(error grown by taking i out), cut to −1 … 1: 1 for a stand-in as good as the latent, 0 for one that is as
   * good as none. NaN for a latent that is not missed when it is taken out. j = −1 is none.
   */
  recovered(i: number, j: number): number {
    const without = this.ablated[i];
    if (!(without > 0)) return NaN;
    if (j < 0) return 0;
    const [a, b] = [this.#a, this.#b];
    const crossing = productOf(a.firings, i, b.firings, j) * rowProduct(a, i, b, j);
    const replaced = without - 2 * b.products[j] - 2 * crossing + squaresOf(b, j);
    return Math.min(1, Math.max(-1, 1 - replaced / without));
  }
}

/** Σ_t f² ‖d‖². */
function squaresOf(side: SubstitutedSide, i: number): number {
  const { start, value } = side.firings;
  let squares = 0;
  for (let e = start[i]; e < start[i + 1]; e++) squares += value[e] * value[e];
  return squares * rowProduct(side, i, side, i);
}

function rowProduct(a: SubstitutedSide, i: number, b: SubstitutedSide, j: number): number {
  let sum = 0;
  for (let k = 0, p = i * a.d, q = j * b.d; k < a.d; k++, p++, q++) sum += a.wDec[p] * b.wDec[q];
  return sum;
}
