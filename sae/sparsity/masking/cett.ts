/**
 * Cumulative errors of tail truncation (ReLU² Wins, 2402.03804; Sparsing Law, 2411.02335; METHODS.md §4):
 * CETT(τ) = mean_t ‖W_down(a ⊙ 1[|a_i| n_i ≤ τ])‖ / ‖W_down a‖, with n_i the norm of what neuron i writes. It says how much of an MLP's
 * output is lost when every neuron that contributes at most τ is masked, that is, has its activation set to 0.
 *
 * It is exact on the given tokens, by full matrix products; thresholds come from the sorted contributions of those tokens.
 */
import { LazyscopeError } from '../../errors.ts';
import { hostValues } from '../../tensor/hostValues.ts';
import { tf } from '../../tensor/tf.ts';

/**
 * Activation ratio at which every model's CETT is quoted, so that the figures can be set side by side (*choice*).
 * It is below the activation ratio of ReLU models (3 % and more): at one half, for example, CETT of a ReLU layer is 0 and tells nothing.
 */
export const quotedRatio = 0.02;

export interface CettPoint {
  /** τ, compared with |a_i|·n_i. */
  threshold: number;
  cett: number;
  /** Share of entries above τ. */
  activeRatio: number;
}

/** CETT of one layer on a sample of tokens. It holds a tensor: dispose it. */
export class Cett {
  readonly #activations: Float32Array;
  readonly #contributions: Float32Array;
  /** [tokens · neurons]: all contributions |a_i|·n_i, ascending. */
  readonly #sorted: Float32Array;
  readonly #tokens: number;
  readonly #neurons: number;
  readonly #d: number;
  readonly #outputs;
  readonly #norms: Float64Array;

  /** activations a [tokens, neurons]; outputs [neurons, d], whose row i is what neuron i writes, W_down[:, i]. Throws 'bad_input' for other sizes. */
  constructor(activations: Float32Array, outputs: Float32Array, shape: { neurons: number; d: number }) {
    const { neurons, d } = shape;
    const tokens = activations.length / neurons;
    if (!Number.isInteger(tokens) || tokens === 0 || outputs.length !== neurons * d)
      throw new LazyscopeError(
        'bad_input',
        `CETT needs activations [tokens, ${neurons}] and outputs [${neurons}, ${d}], but got ${activations.length} and ${outputs.length} numbers.`,
      );
    const n = outputNorms(outputs, neurons, d);
    this.#tokens = tokens;
    this.#neurons = neurons;
    this.#d = d;
    this.#activations = activations;
    this.#contributions = activations.map((a, at) => Math.abs(a) * n[at % neurons]);
    this.#sorted = this.#contributions.slice().sort();
    this.#outputs = tf.tensor2d(outputs, [neurons, d]);
    this.#norms = this.#rowNorms(activations);
  }

  dispose(): void {
    this.#outputs.dispose();
  }

  /** CETT(τ). Tokens whose MLP output is zero have no relative error and are left out of the mean. */
  at(threshold: number): number {
    const masked = this.#activations.slice();
    for (let at = 0; at < masked.length; at++) if (this.#contributions[at] > threshold) masked[at] = 0;
    const norms = this.#rowNorms(masked);
    let sum = 0;
    let counted = 0;
    this.#norms.forEach((whole, t) => {
      if (whole === 0) return;
      sum += norms[t] / whole;
      counted++;
    });
    return counted === 0 ? 0 : sum / counted;
  }

  /** Share of entries with |a_i|·n_i above τ. */
  activeRatio(threshold: number): number {
    return 1 - this.#rank(threshold) / this.#sorted.length;
  }

  /** The smallest τ at which at least this share of the entries is masked (|a_i|·n_i ≤ τ). */
  thresholdMasking(share: number): number {
    const rank = Math.ceil(share * this.#sorted.length);
    return rank <= 0 ? 0 : this.#sorted[Math.min(rank, this.#sorted.length) - 1];
  }

  /**
   * CETT from τ = 0 to the largest contribution: at equal steps of the share of non-zero entries, the last of them
   * halved `halvings` times over, because most of the error is in the few strongest entries.
   */
  curve(steps = 20, halvings = 6): CettPoint[] {
    const zeros = this.#rank(0);
    const nonZero = this.#sorted.length - zeros;
    const active = Array.from({ length: steps - 1 }, (_, step) => 1 - (step + 1) / steps);
    for (let halving = 1; halving <= halvings; halving++) active.push(2 ** -halving / steps);
    const thresholds = new Set([0]);
    for (const share of [...active, 0]) {
      const rank = zeros + Math.ceil(nonZero * (1 - share) - 1e-9);
      if (rank > zeros) thresholds.add(this.#sorted[rank - 1]);
    }
    return Array.from(thresholds, (threshold) => this.#point(threshold));
  }

  /**
   * The largest contribution at which CETT is still at most `target`, by bisection over the sorted contributions between the
   * curve's two neighbours. CETT need not be monotone (what two neurons write can cancel); this is a
   * crossing after the last point of the curve before it first exceeds the target.
   */
  solve(target: number, curve: readonly CettPoint[] = this.curve()): CettPoint {
    const above = curve.findIndex(({ cett }) => cett > target);
    if (above <= 0) return above < 0 ? curve[curve.length - 1] : curve[0];
    let within = curve[above - 1];
    let low = this.#rank(within.threshold);
    let high = this.#rank(curve[above].threshold);
    while (high - low > 1) {
      const middle = this.#point(this.#sorted[((low + high) >> 1) - 1]);
      const rank = this.#rank(middle.threshold);
      if (middle.cett > target) {
        // Tied contributions are masked together. If CETT with the whole tie masked exceeds the target, the answer is below the tie.
        if (rank >= high) high = (low + high) >> 1;
        else high = rank;
      } else {
        within = middle;
        low = rank;
      }
    }
    return within;
  }

  #point(threshold: number): CettPoint {
    return { threshold, cett: this.at(threshold), activeRatio: this.activeRatio(threshold) };
  }

  /** How many contributions are at most τ. */
  #rank(threshold: number): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle] <= threshold) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #rowNorms(activations: Float32Array): Float64Array {
    const y = hostValues(() => tf.tensor2d(activations, [this.#tokens, this.#neurons]).matMul(this.#outputs));
    return Float64Array.from({ length: this.#tokens }, (_, t) => {
      let sum = 0;
      for (let k = 0, at = t * this.#d; k < this.#d; k++, at++) sum += y[at] * y[at];
      return Math.sqrt(sum);
    });
  }
}

/** [neurons]: n_i, the norms of the rows of outputs [neurons, d]. */
export function outputNorms(outputs: Float32Array, neurons: number, d: number): Float64Array {
  return Float64Array.from({ length: neurons }, (_, i) => {
    let sum = 0;
    for (let k = 0, at = i * d; k < d; k++, at++) sum += outputs[at] * outputs[at];
    return Math.sqrt(sum);
  });
}
