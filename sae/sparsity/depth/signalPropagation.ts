import { signalSums } from '../../ops/signalSums.ts';
import type { Tensor } from '../../tensor/tf.ts';

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

  /** activations [… , d] at one place: a vector a token. */
  add(depth: number, activations: Tensor): void {
    const { meanSquared, variance } = signalSums(activations);
    this.#meanSquared[depth] += meanSquared;
    this.#variance[depth] += variance;
    this.#tokens[depth] += activations.size / activations.shape[activations.rank - 1];
  }

  /** From the shallowest place to the deepest. */
  byDepth(): Signal[] {
    return Array.from(this.#tokens, (tokens, depth) => ({
      meanSquared: this.#meanSquared[depth] / tokens,
      variance: this.#variance[depth] / tokens,
    }));
  }
}
