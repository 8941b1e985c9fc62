/**
 * What becomes of a signal on its way through the layers (METHODS.md §4): of each token's activation vector, the
 * squared mean and the variance over its d components, averaged over tokens. In a network whose signal neither fades nor
 * explodes both stay of one order with depth.
 */
export interface Signal {
  /** Mean over tokens of (mean over d)². */
  meanSquared: number;
  /** Mean over tokens of the variance over d (divided by d). */
  variance: number;
}

export class SignalPropagation {
  readonly #meanSquared: Float64Array;
  readonly #variance: Float64Array;
  readonly #tokens: Float64Array;

  /** `depths`: how many places along the residual stream are watched. */
  constructor(depths: number) {
    this.#meanSquared = new Float64Array(depths);
    this.#variance = new Float64Array(depths);
    this.#tokens = new Float64Array(depths);
  }

  /** activations [tokens, d] at one place. */
  add(depth: number, activations: Float32Array, d: number): void {
    for (let row = 0; row < activations.length; row += d) {
      let mean = 0;
      for (let k = 0; k < d; k++) mean += activations[row + k] / d;
      let variance = 0;
      for (let k = 0; k < d; k++) variance += (activations[row + k] - mean) ** 2 / d;
      this.#meanSquared[depth] += mean * mean;
      this.#variance[depth] += variance;
      this.#tokens[depth]++;
    }
  }

  /** From the shallowest place to the deepest. */
  byDepth(): Signal[] {
    return Array.from(this.#tokens, (tokens, depth) => ({
      meanSquared: this.#meanSquared[depth] / tokens,
      variance: this.#variance[depth] / tokens,
    }));
  }
}
