/**
 * How evenly attention heads spread their attention (ReLU's Revival: On the Entropic Overload in Normalization-Free
 * Large Language Models, 2410.09637; METHODS.md §4): H(p)/log(n) of each query's distribution over the n positions it can
 * see, averaged over queries. 1 is a head that attends to all positions equally, 0 one that attends to a single position.
 */
import type { Tensor2D } from '../../tensor/tf.ts';

export class AttentionEntropy {
  readonly #heads: number;
  readonly #sum: Float64Array;
  #queries = 0;

  constructor(heads: number) {
    this.#heads = heads;
    this.#sum = new Float64Array(heads);
  }

  /**
   * Adds the sums of sae/ops/attentionEntropySums.ts over contexts of `seq` tokens, [batch, heads]. The first query of a context
   * sees a single position, for which the normalised entropy is undefined, so it is left out.
   */
  add(entropySums: Tensor2D, seq: number): void {
    const [batch, heads] = entropySums.shape;
    entropySums.dataSync<'float32'>().forEach((sum, row) => (this.#sum[row % heads] += sum));
    this.#queries += batch * (seq - 1);
  }

  /** [heads]: mean normalised entropy of each head, in [0, 1]. */
  byHead(): Float64Array {
    return this.#sum.map((sum) => sum / this.#queries);
  }

  /** Share of heads above three quarters of the largest possible entropy. */
  overload(): number {
    return this.byHead().filter((entropy) => entropy > 0.75).length / this.#heads;
  }
}
