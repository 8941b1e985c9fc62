import { signalSums } from '../../ops/signalSums.ts';
import type { Tensor } from '../../tensor/tf.ts';

/**
 * Signal propagation through the layers (METHODS.md §4; Brock et al., 2101.08692): of each token's activation vector, the
 * squared mean and the variance over its d components, averaged over tokens. In a network whose signal neither vanishes nor
 * explodes, both keep their order of magnitude with depth.
 */
export interface Signal {
  /** Mean (or median) over tokens of (mean over d)². */
  meanSquared: number;
  /** Mean (or median) over tokens of the variance over d (divided by d). */
  variance: number;
}

/**
 * The same of single vectors, rows [tokens, d], and of all of them the medians, which a few attention sinks a hundred times as long as the
 * others leave as they are. Of an even number it is the mean of the middle two; NaN of none.
 */
export function medianSignal(rows: Float32Array, d: number): Signal {
  const tokens = rows.length / d;
  const squares = new Float64Array(tokens);
  const variances = new Float64Array(tokens);
  for (let token = 0; token < tokens; token++) {
    const row = rows.subarray(token * d, (token + 1) * d);
    let mean = 0;
    for (let k = 0; k < d; k++) mean += row[k] / d;
    for (let k = 0; k < d; k++) variances[token] += (row[k] - mean) ** 2 / d;
    squares[token] = mean * mean;
  }
  return { meanSquared: medianOf(squares), variance: medianOf(variances) };
}

function medianOf(values: Float64Array): number {
  const sorted = values.toSorted();
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

export class SignalPropagation {
  readonly #meanSquared: Float64Array;
  readonly #variance: Float64Array;
  readonly #tokens: Float64Array;

  /** `depths` is the number of places along the residual stream that are measured. */
  constructor(depths: number) {
    this.#meanSquared = new Float64Array(depths);
    this.#variance = new Float64Array(depths);
    this.#tokens = new Float64Array(depths);
  }

  /** Adds activations [… , d] at one place, one vector for each token. */
  add(depth: number, activations: Tensor): void {
    const { meanSquared, variance } = signalSums(activations);
    this.#meanSquared[depth] += meanSquared;
    this.#variance[depth] += variance;
    this.#tokens[depth] += activations.size / activations.shape[activations.rank - 1];
  }

  /** [depths]: the measures from the shallowest place to the deepest. */
  byDepth(): Signal[] {
    return Array.from(this.#tokens, (tokens, depth) => ({
      meanSquared: this.#meanSquared[depth] / tokens,
      variance: this.#variance[depth] / tokens,
    }));
  }
}
