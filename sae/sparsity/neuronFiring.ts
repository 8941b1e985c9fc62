/**
 * How often each neuron of one MLP fires (METHODS.md §4; activation ratio: Lazy Neuron, 2210.06313; dynamic dead
 * rate: AP, selective activation). An accumulator: batches of tokens go in, memory depends on neurons and
 * positions only.
 *
 * "Fires" means that act(·) is not exactly zero. In a gated MLP that is the gate alone: act(g) may be zero while
 * u is not, and a = act(g) ⊙ u may underflow while the gate is open.
 */
import { StrongestTokens } from './strongestTokens.ts';

export interface FiringBatch {
  /** [contexts · seq], token ids. */
  readonly tokens: Int32Array;
  /** Tokens in a context: position is index mod seq. */
  readonly seq: number;
  /** a, what the neuron passes to W_down: [contexts · seq, neurons]. */
  readonly activations: Float32Array;
  /** act(g) where the MLP is gated, the same shape; absent where it is `activations` itself. */
  readonly gates?: Float32Array;
}

export interface FiringOptions {
  neurons: number;
  positions: number;
  /** ε, ascending: |a| > ε is counted for each. */
  thresholds: readonly number[];
  /** Which of them is counted neuron by neuron. */
  neuronThreshold: number;
  /** Tokens to keep for each neuron. */
  keptTokens?: number;
}

export class NeuronFiring {
  readonly #options: FiringOptions;
  readonly #fired: Float64Array;
  readonly #firedAt: Float64Array;
  readonly #sum: Float64Array;
  readonly #largest: Float64Array;
  readonly #above: Float64Array;
  readonly #positionFired: Float64Array;
  readonly #positionTokens: Float64Array;
  readonly #strongest: StrongestTokens;
  #tokens = 0;
  #batches = 0;
  #silentShares = 0;

  constructor(options: FiringOptions) {
    const { neurons, positions, thresholds, keptTokens = 8 } = options;
    this.#options = options;
    this.#fired = new Float64Array(neurons);
    this.#firedAt = new Float64Array(neurons);
    this.#sum = new Float64Array(neurons);
    this.#largest = new Float64Array(neurons);
    this.#above = new Float64Array(thresholds.length);
    this.#positionFired = new Float64Array(positions);
    this.#positionTokens = new Float64Array(positions);
    this.#strongest = new StrongestTokens(neurons, keptTokens);
  }

  add({ tokens, seq, activations, gates }: FiringBatch): void {
    const { neurons, thresholds, neuronThreshold } = this.#options;
    const epsilons = Float64Array.from(thresholds);
    const bar = thresholds[neuronThreshold];
    const fires = gates ?? activations;
    const fired = this.#fired;
    const firedAt = this.#firedAt;
    const sum = this.#sum;
    const largest = this.#largest;
    const above = this.#above;
    const before = fired.slice();
    for (let t = 0; t < tokens.length; t++) {
      const token = tokens[t];
      let firedHere = 0;
      for (let i = 0, at = t * neurons; i < neurons; i++, at++) {
        if (fires[at] === 0) continue;
        const a = activations[at];
        const magnitude = a < 0 ? -a : a;
        firedHere++;
        fired[i]++;
        sum[i] += a;
        if (magnitude > bar) firedAt[i]++;
        for (let e = 0; e < epsilons.length && magnitude > epsilons[e]; e++) above[e]++;
        if (magnitude > largest[i]) largest[i] = magnitude;
        this.#strongest.offer(i, token, magnitude);
      }
      this.#positionFired[t % seq] += firedHere;
      this.#positionTokens[t % seq]++;
    }
    this.#tokens += tokens.length;
    this.#batches++;
    let silent = 0;
    for (let i = 0; i < neurons; i++) if (fired[i] === before[i]) silent++;
    this.#silentShares += silent / neurons;
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** Share of entries of act(·) that are not exactly zero. */
  activationRatio(): number {
    return this.#fired.reduce((a, b) => a + b, 0) / (this.#tokens * this.#options.neurons);
  }

  /** Share of entries with |a| > ε, for each ε. */
  ratioAt(): number[] {
    return Array.from(this.#above, (count) => count / (this.#tokens * this.#options.neurons));
  }

  /** Share of neurons that fired on no token. */
  deadRate(): number {
    return this.#fired.reduce((dead, count) => dead + (count === 0 ? 1 : 0), 0) / this.#options.neurons;
  }

  /** Mean over batches of the share of neurons silent in the whole batch. */
  dynamicDeadRate(): number {
    return this.#silentShares / this.#batches;
  }

  /** [neurons]: share of tokens on which each fires. */
  frequency(): Float64Array {
    return this.#fired.map((count) => count / this.#tokens);
  }

  /** [neurons]: share of tokens on which |a| exceeds the neuron threshold. */
  frequencyAt(): Float64Array {
    return this.#firedAt.map((count) => count / this.#tokens);
  }

  /** [neurons]: mean of a over the tokens on which the neuron fires; 0 for a dead one. */
  meanActivation(): Float64Array {
    return this.#sum.map((sum, i) => (this.#fired[i] === 0 ? 0 : sum / this.#fired[i]));
  }

  /** [neurons]: largest |a|. */
  maxActivation(): Float64Array {
    return this.#largest.slice();
  }

  /** Activation ratio by position in the context; only positions that occurred. */
  ratioByPosition(): Float64Array {
    const seen = this.#positionTokens.filter((tokens) => tokens > 0).length;
    return this.#positionFired
      .slice(0, seen)
      .map((count, position) => count / (this.#positionTokens[position] * this.#options.neurons));
  }

  /** Counts of neurons by firing frequency in equal bins on [0, 1]; 1 falls into the last. */
  frequencyHistogram(bins = 50): number[] {
    const counts = Array.from({ length: bins }, () => 0);
    for (const count of this.#fired) counts[Math.min(bins - 1, Math.floor((count * bins) / this.#tokens))]++;
    return counts;
  }

  /** Token ids on which the neuron's |a| was largest, strongest first, each once. */
  strongestTokens(neuron: number): Int32Array {
    return this.#strongest.of(neuron);
  }
}
