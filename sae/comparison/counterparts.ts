/** A counterpart in b for each latent of a (−1: none), with the cosine of the pair (NaN: none). */
export interface Counterparts {
  readonly match: Int32Array;
  readonly cosine: Float64Array;
}
