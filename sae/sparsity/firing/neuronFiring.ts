/**
 * How often each neuron of one MLP fires (METHODS.md §4; activation ratio: Lazy Neuron, 2210.06313; dynamic dead
 * rate: AP, selective activation). It accumulates over batches of tokens; memory depends only on the numbers of neurons,
 * positions and tokens of the vocabulary.
 *
 * "Fires" means that act(·) is not exactly zero. In a gated MLP only the gate act(g) decides, because u is hardly ever exactly
 * zero, and a = act(g) ⊙ u may underflow to zero while the gate is open.
 *
 * In a mixture of experts a neuron is looked at only on the tokens that the router sends to its expert: elsewhere it is neither firing nor
 * silent, and every share is of the tokens, or of the entries, that are routed.
 */
import { firingCounts } from '../../ops/firingCounts.ts';
import type { Tensor } from '../../tensor/tf.ts';
import { NeuronExamples } from './neuronExamples.ts';
import { StrongestTokens } from './strongestTokens.ts';

export interface FiringBatch {
  /** [contexts · seq], token ids. */
  readonly tokens: Int32Array;
  /** Tokens in a context: position is index mod seq. */
  readonly seq: number;
  /** Place of the first token in the whole stream. */
  readonly firstToken?: number;
  /** a, what the neuron passes to W_down: [contexts · seq, neurons], or the same in three axes. */
  readonly activations: Tensor;
  /** act(g) where the MLP is gated, the same shape; absent where it is `activations` itself. */
  readonly gates?: Tensor | undefined;
  /** 1 where the router sends a token to an expert, 0 elsewhere, [contexts · seq, experts]; `gates` must be 0 where it is. Of a mixture. */
  readonly routed?: Float32Array | undefined;
  /** Whether more of the same batch follows: the dynamic dead rate is over whole batches. */
  readonly continues?: boolean;
}

export interface FiringOptions {
  neurons: number;
  positions: number;
  vocabulary: number;
  /** Of a mixture of experts. */
  experts?: { count: number; perToken: number } | undefined;
  /** ε, ascending: |a| > ε is counted for each. */
  thresholds: readonly number[];
  /** Index of the threshold that is also counted for each neuron. */
  neuronThreshold: number;
  /** How many tokens, and how many examples, to keep for each neuron. */
  keptTokens?: number;
  keptExamples?: number;
}

/** Number of bins of the histograms, equally wide on [0, 1]. */
const bins = 50;

export class NeuronFiring {
  readonly #options: FiringOptions;
  /** [thresholds + 1]: entries that fired, by how many thresholds they exceed. */
  readonly #levelCounts: Float64Array;
  readonly #fired: Float64Array;
  readonly #firedAt: Float64Array;
  readonly #sum: Float64Array;
  readonly #positionFired: Float64Array;
  readonly #positionTokens: Float64Array;
  readonly #tokenFired: Float64Array;
  readonly #tokenCount: Uint32Array;
  readonly #shares = new Float64Array(bins);
  readonly #strongest: StrongestTokens;
  readonly examples: NeuronExamples;
  /** [neurons]: whether each has fired in the batch. */
  readonly #firedInBatch: Uint8Array;
  /** [experts]: tokens sent to each, in all and in the batch; the whole MLP is one expert where it is no mixture. */
  readonly #routed: Float64Array;
  readonly #routedInBatch: Float64Array;
  /** Neurons that a token passes. */
  readonly #neuronsPerToken: number;
  #tokens = 0;
  #batches = 0;
  #silentShares = 0;

  constructor(options: FiringOptions) {
    const { neurons, positions, vocabulary, thresholds, keptTokens = 8, keptExamples = 4 } = options;
    this.#options = options;
    this.#levelCounts = new Float64Array(thresholds.length + 1);
    this.#firedInBatch = new Uint8Array(neurons);
    this.#fired = new Float64Array(neurons);
    this.#firedAt = new Float64Array(neurons);
    this.#sum = new Float64Array(neurons);
    this.#positionFired = new Float64Array(positions);
    this.#positionTokens = new Float64Array(positions);
    this.#tokenFired = new Float64Array(vocabulary);
    this.#tokenCount = new Uint32Array(vocabulary);
    const { count, perToken } = options.experts ?? { count: 1, perToken: 1 };
    this.#routed = new Float64Array(count);
    this.#routedInBatch = new Float64Array(count);
    this.#neuronsPerToken = (neurons * perToken) / count;
    this.#strongest = new StrongestTokens(neurons, keptTokens);
    this.examples = new NeuronExamples(neurons, keptExamples);
  }

  add(batch: FiringBatch): void {
    const firedInBatch = this.#firedInBatch;
    const { seq } = batch;
    const contexts = Math.ceil(batch.tokens.length / seq);
    // At first nearly every entry is among the strongest so far and must be listed. Small blocks raise the bars before the large blocks.
    for (let first = 0; first < contexts;) {
      const count = Math.min(contexts - first, Math.max(1, Math.floor(this.#tokens / seq) + first));
      this.#addContexts(batch, first * seq, count * seq, firedInBatch);
      first += count;
    }
    this.#tokens += batch.tokens.length;
    this.#countRouted(batch);
    if (batch.continues) return;
    this.#batches++;
    this.#silentShares += this.#silentShare(firedInBatch, this.#routedInBatch);
    firedInBatch.fill(0);
    this.#routedInBatch.fill(0);
  }

  #countRouted({ tokens, routed }: FiringBatch): void {
    const count = this.#routed.length;
    for (let expert = 0; expert < count; expert++) {
      let here = 0;
      if (routed) for (let row = 0; row < tokens.length; row++) here += routed[row * count + expert];
      else here = tokens.length;
      this.#routed[expert] += here;
      this.#routedInBatch[expert] += here;
    }
  }

  #expertOf(neuron: number): number {
    return Math.floor((neuron * this.#routed.length) / this.#options.neurons);
  }

  /** Share of neurons that fired on none of the tokens sent to them, among those that any was sent to. */
  #silentShare(fired: ArrayLike<number>, routed: Float64Array): number {
    let [silent, seen] = [0, 0];
    for (let i = 0; i < this.#options.neurons; i++) {
      if (routed[this.#expertOf(i)] === 0) continue;
      seen++;
      if (fired[i] === 0) silent++;
    }
    return silent / seen;
  }

  /** Counts `length` tokens of the batch, whole contexts, from token `first` on. */
  #addContexts(batch: FiringBatch, first: number, length: number, firedInBatch: Uint8Array): void {
    const { neurons, thresholds, neuronThreshold } = this.#options;
    const { tokens, seq, activations, gates, firstToken = 0 } = batch;
    const rows = Math.min(length, tokens.length - first);
    const counts = firingCounts({
      activations,
      ...(gates ? { gates } : {}),
      bar: this.#bar(),
      first,
      rows,
      thresholds,
      neuronThreshold,
    });
    counts.levels.forEach((count, level) => (this.#levelCounts[level] += count));
    for (let i = 0; i < neurons; i++) {
      if (counts.fired[i] === 0) continue;
      firedInBatch[i] = 1;
      this.#fired[i] += counts.fired[i];
      this.#firedAt[i] += counts.firedAt[i];
      this.#sum[i] += counts.sum[i];
    }
    for (let row = 0; row < rows; row++) {
      const fired = counts.rowFired[row];
      const token = tokens[first + row];
      this.#positionFired[row % seq] += fired;
      this.#positionTokens[row % seq]++;
      this.#tokenFired[token] += fired;
      this.#tokenCount[token]++;
      this.#shares[Math.min(bins - 1, Math.floor((fired * bins) / this.#neuronsPerToken))]++;
    }
    if (counts.over.length === 0) return;
    const a = activations.dataSync<'float32'>().subarray(first * neurons, (first + rows) * neurons);
    this.examples.beginBlock({ activations: a, firstPlace: firstToken + first, seq });
    for (const at of counts.over) {
      const neuron = at % neurons;
      const row = (at - neuron) / neurons;
      const magnitude = Math.abs(a[at]);
      this.#strongest.offer(neuron, tokens[first + row], magnitude);
      this.examples.offer(neuron, row, magnitude);
    }
    this.examples.endBlock();
  }

  /** [neurons]: entries with |a| below it can be neither among the neuron's strongest tokens nor one of its examples. */
  #bar(): Float32Array {
    const { bar } = this.#strongest;
    return Float32Array.from(this.examples.bar, (lowest, i) => Math.min(lowest, bar[i]));
  }

  /** Tokens in a context. */
  get positions(): number {
    return this.#options.positions;
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** Share of entries of act(·) that are not exactly zero. */
  activationRatio(): number {
    return this.#fired.reduce((a, b) => a + b, 0) / (this.#tokens * this.#neuronsPerToken);
  }

  /** Share of entries with |a| > ε, for each ε. */
  ratioAt(): number[] {
    const entries = this.#tokens * this.#neuronsPerToken;
    return this.#options.thresholds.map(
      (_, e) => this.#levelCounts.slice(e + 1).reduce((sum, count) => sum + count, 0) / entries,
    );
  }

  /** Share of neurons that fired on no token sent to them. */
  deadRate(): number {
    return this.#silentShare(this.#fired, this.#routed);
  }

  /** Mean over batches of the share of neurons that fire on no token of the batch. */
  dynamicDeadRate(): number {
    return this.#silentShares / this.#batches;
  }

  /** [neurons]: share of the tokens sent to it on which each fires; 0 where none was. */
  frequency(): Float64Array {
    return this.#fired.map((count, i) => count / Math.max(1, this.#routed[this.#expertOf(i)]));
  }

  /** [neurons]: share of the tokens sent to it on which |a| exceeds the neuron threshold. */
  frequencyAt(): Float64Array {
    return this.#firedAt.map((count, i) => count / Math.max(1, this.#routed[this.#expertOf(i)]));
  }

  /** [neurons]: share of all tokens that the router sends to the neuron's expert; undefined where there is no mixture. */
  routedShare(): Float64Array | undefined {
    if (!this.#options.experts) return undefined;
    return this.#fired.map((_, i) => this.#routed[this.#expertOf(i)] / this.#tokens);
  }

  /** By expert: tokens sent to it, and over those its activation ratio and dead rate, null where there were none; undefined where there is no mixture. */
  byExpert(): { tokens: number; activationRatio: number | null; deadRate: number | null }[] | undefined {
    if (!this.#options.experts) return undefined;
    const width = this.#options.neurons / this.#routed.length;
    return Array.from(this.#routed, (tokens, expert) => {
      const fired = this.#fired.subarray(expert * width, (expert + 1) * width);
      const sum = fired.reduce((a, b) => a + b, 0);
      const dead = fired.reduce((count, each) => count + (each === 0 ? 1 : 0), 0);
      return {
        tokens,
        activationRatio: tokens === 0 ? null : sum / (tokens * width),
        deadRate: tokens === 0 ? null : dead / width,
      };
    });
  }

  /** [neurons]: mean of a over the tokens on which the neuron fires; 0 for a dead one. */
  meanActivation(): Float64Array {
    return this.#sum.map((sum, i) => (this.#fired[i] === 0 ? 0 : sum / this.#fired[i]));
  }

  /** [neurons]: largest |a|; 0 for a dead one. */
  maxActivation(): Float64Array {
    return this.#sum.map((_, i) => this.#strongest.bestScore(i) ?? 0);
  }

  /** [positions]: activation ratio by position in the context, for positions that occurred. */
  ratioByPosition(): Float64Array {
    const seen = this.#positionTokens.filter((tokens) => tokens > 0).length;
    return this.#positionFired
      .slice(0, seen)
      .map((count, position) => count / (this.#positionTokens[position] * this.#neuronsPerToken));
  }

  /** Activation ratio on each token of the vocabulary that occurred, by id. */
  ratioByToken(): { token: number; occurrences: number; activationRatio: number }[] {
    return Array.from(this.#tokenCount, (occurrences, token) => ({
      token,
      occurrences,
      activationRatio: this.#tokenFired[token] / (occurrences * this.#neuronsPerToken),
    })).filter(({ occurrences }) => occurrences > 0);
  }

  /** Counts of tokens by the share of neurons that fire on them, in 50 equal bins on [0, 1]; 1 falls into the last. */
  tokenHistogram(): number[] {
    return [...this.#shares];
  }

  /** Counts of neurons by firing frequency in equal bins on [0, 1]; 1 falls into the last. Neurons that no token was sent to are in none. */
  frequencyHistogram(count = bins): number[] {
    const counts = Array.from({ length: count }, () => 0);
    for (const [i, fired] of this.#fired.entries()) {
      const routed = this.#routed[this.#expertOf(i)];
      if (routed > 0) counts[Math.min(count - 1, Math.floor((fired * count) / routed))]++;
    }
    return counts;
  }

  /** The token ids on which the neuron's |a| was largest, strongest first, without repetitions. */
  strongestTokens(neuron: number): Int32Array {
    return this.#strongest.of(neuron);
  }
}
