/**
 * How often each neuron of one MLP fires (METHODS.md §4; activation ratio: Lazy Neuron, 2210.06313; dynamic dead
 * rate: AP, selective activation). An accumulator: batches of tokens go in, memory depends on neurons and
 * positions only.
 *
 * "Fires" means that act(·) is not exactly zero. In a gated MLP that is the gate alone: act(g) may be zero while
 * u is not, and a = act(g) ⊙ u may underflow while the gate is open.
 */
import { binShift, magnitudeLevels, type MagnitudeLevels } from './magnitudeLevels.ts';
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
  readonly #levels: MagnitudeLevels;
  /** Entries that fired, by how many thresholds they exceed. */
  readonly #levelCounts: Float64Array;
  readonly #fired: Uint32Array;
  readonly #firedAt: Uint32Array;
  readonly #sum: Float64Array;
  readonly #positionFired: Float64Array;
  readonly #positionTokens: Float64Array;
  readonly #strongest: StrongestTokens;
  #tokens = 0;
  #batches = 0;
  #silentShares = 0;

  constructor(options: FiringOptions) {
    const { neurons, positions, thresholds, keptTokens = 8 } = options;
    this.#options = options;
    this.#levels = magnitudeLevels(thresholds);
    this.#levelCounts = new Float64Array(thresholds.length + 1);
    this.#fired = new Uint32Array(neurons);
    this.#firedAt = new Uint32Array(neurons);
    this.#sum = new Float64Array(neurons);
    this.#positionFired = new Float64Array(positions);
    this.#positionTokens = new Float64Array(positions);
    this.#strongest = new StrongestTokens(neurons, keptTokens);
  }

  /** The innermost loop of the whole pass: entries are told apart by their bits, and the rare work is left to calls. */
  add({ tokens, seq, activations, gates = activations }: FiringBatch): void {
    const { neurons, neuronThreshold } = this.#options;
    const { level, edge } = this.#levels;
    const bits = new Int32Array(activations.buffer, activations.byteOffset, activations.length);
    const levelCounts = new Uint32Array(this.#levelCounts.length);
    const fired = this.#fired;
    const firedAt = this.#firedAt;
    const sum = this.#sum;
    const strongest = this.#strongest;
    const { bar } = strongest;
    const before = fired.slice();
    for (let t = 0; t < tokens.length; t++) {
      let firedHere = 0;
      for (let i = 0, at = t * neurons; i < neurons; i++, at++) {
        if (gates[at] === 0) continue;
        const a = activations[at];
        const magnitudeBits = bits[at] & 0x7fffffff;
        const bin = magnitudeBits >> binShift;
        const exceeded = level[bin] + ((edge[bin] - magnitudeBits) >>> 31);
        levelCounts[exceeded]++;
        if (exceeded > neuronThreshold) firedAt[i]++;
        firedHere++;
        fired[i]++;
        sum[i] += a;
        const magnitude = Math.abs(a);
        if (magnitude > bar[i]) strongest.offer(i, tokens[t], magnitude);
      }
      this.#positionFired[t % seq] += firedHere;
      this.#positionTokens[t % seq]++;
    }
    levelCounts.forEach((count, l) => (this.#levelCounts[l] += count));
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
    const entries = this.#tokens * this.#options.neurons;
    return this.#options.thresholds.map(
      (_, e) => this.#levelCounts.slice(e + 1).reduce((sum, count) => sum + count, 0) / entries,
    );
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
    return Float64Array.from(this.#fired, (count) => count / this.#tokens);
  }

  /** [neurons]: share of tokens on which |a| exceeds the neuron threshold. */
  frequencyAt(): Float64Array {
    return Float64Array.from(this.#firedAt, (count) => count / this.#tokens);
  }

  /** [neurons]: mean of a over the tokens on which the neuron fires; 0 for a dead one. */
  meanActivation(): Float64Array {
    return this.#sum.map((sum, i) => (this.#fired[i] === 0 ? 0 : sum / this.#fired[i]));
  }

  /** [neurons]: largest |a|; 0 for a dead one. */
  maxActivation(): Float64Array {
    return this.#sum.map((_, i) => this.#strongest.bestScore(i) ?? 0);
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
