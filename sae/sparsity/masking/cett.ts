/**
 * Cumulative errors of tail truncation (ReLU² Wins, 2402.03804; Sparsing Law, 2411.02335; METHODS.md §4):
 * CETT(τ) = mean_t ‖W_down(a ⊙ 1[|a_i| n_i ≤ τ])‖ / ‖W_down a‖, with n_i the norm of what neuron i writes. It says how much of an MLP's
 * output is lost when every neuron that contributes at most τ is masked, that is, has its activation set to 0.
 *
 * It is exact on the given tokens. Each token's neurons are masked one after the other, the weakest contribution first, and the sum of what
 * they write is kept: so one walk, which costs about one product with W_down, gives CETT at every threshold.
 */
import { LazyscopeError } from '../../errors.ts';
import { truncationErrors } from './truncationErrors.ts';

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

/** CETT of one layer on a sample of tokens. */
export class Cett {
  /** [tokens · neurons]: all contributions |a_i|·n_i, ascending. */
  readonly #sorted: Float32Array;
  /** [tokens · neurons]: CETT when this contribution and all before it are masked. */
  readonly #errors: Float32Array;

  /** activations a [tokens, neurons]; outputs [neurons, d], whose row i is what neuron i writes, W_down[:, i]. Throws 'bad_input' for other sizes. */
  constructor(activations: Float32Array, outputs: Float32Array, shape: { neurons: number; d: number }) {
    const { neurons, d } = shape;
    const tokens = activations.length / neurons;
    if (!Number.isInteger(tokens) || tokens === 0 || outputs.length !== neurons * d)
      throw new LazyscopeError(
        'bad_input',
        `CETT needs activations [tokens, ${neurons}] and outputs [${neurons}, ${d}], but got ${activations.length} and ${outputs.length} numbers.`,
      );
    const walk = truncationErrors(activations, outputs, outputNorms(outputs, neurons, d));
    this.#sorted = walk.contributions;
    this.#errors = walk.errors;
  }

  /** CETT(τ). Tokens whose MLP output is zero have no relative error and are left out of the mean. */
  at(threshold: number): number {
    const rank = this.#rank(threshold);
    return rank === 0 ? 0 : this.#errors[rank - 1];
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
}

/** [neurons]: n_i, the norms of the rows of outputs [neurons, d]. */
export function outputNorms(outputs: Float32Array, neurons: number, d: number): Float64Array {
  return Float64Array.from({ length: neurons }, (_, i) => {
    let sum = 0;
    for (let k = 0, at = i * d; k < d; k++, at++) sum += outputs[at] * outputs[at];
    return Math.sqrt(sum);
  });
}
