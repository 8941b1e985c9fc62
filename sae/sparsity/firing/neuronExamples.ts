/**
 * The stretches of text on which |a| of each neuron is largest, collected in one pass over the text: at most one in each context,
 * with the neuron's activations around the peak. Memory is neurons × kept × window.
 */
export interface NeuronExample {
  /** |a| at the peak, and its place in the whole stream. */
  magnitude: number;
  place: number;
  /** Place of the first token of the stretch. */
  start: number;
  /** [stretch]: the neuron's activation a on each token of the stretch. */
  activations: Float32Array;
}

/** Consecutive whole contexts of the stream. */
export interface Block {
  /** a, [rows, neurons]. */
  activations: Float32Array;
  /** Place of the first row in the stream. */
  firstPlace: number;
  /** Tokens in a context. */
  seq: number;
}

/** Tokens shown before and after the peak, within its context. */
const before = 15;
const after = 8;
/** Stands for the activations of an example until they have been read from its block. */
const unread = new Float32Array(0);

export class NeuronExamples {
  readonly #kept: number;
  /** The examples of each neuron, strongest first. */
  readonly #examples: NeuronExample[][];
  /** The strongest activation of each neuron in the context being read: its row in the block, and |a|. */
  readonly #candidates = new Map<number, { context: number; row: number; magnitude: number }>();
  /** Neurons that have unread examples. */
  readonly #touched = new Set<number>();
  #block: Block | undefined;
  /** [neurons]: a new example must have a larger |a| than this to be kept. */
  readonly bar: Float64Array;

  constructor(neurons: number, kept: number) {
    this.#kept = kept;
    this.#examples = Array.from({ length: neurons }, () => []);
    this.bar = new Float64Array(neurons).fill(kept > 0 ? -Infinity : Infinity);
  }

  /** Announces the block that the following offers come from. */
  beginBlock(block: Block): void {
    this.#block = block;
  }

  /** Offers one activation of a neuron. Those of one neuron must come in the order of their rows, which count from the block's first. */
  offer(neuron: number, row: number, magnitude: number): void {
    if (!(magnitude > this.bar[neuron])) return;
    const context = Math.floor(row / this.#here().seq);
    const best = this.#candidates.get(neuron);
    if (best && best.context === context) {
      if (magnitude > best.magnitude) Object.assign(best, { row, magnitude });
      return;
    }
    if (best) this.#keep(neuron, best);
    // Keeping the previous context's candidate may have raised the bar.
    if (magnitude > this.bar[neuron]) this.#candidates.set(neuron, { context, row, magnitude });
    else this.#candidates.delete(neuron);
  }

  endBlock(): void {
    for (const [neuron, best] of this.#candidates) this.#keep(neuron, best);
    this.#candidates.clear();
    // Activations are read only at the end of the block, because at first most examples are replaced by stronger ones of the same block.
    for (const neuron of this.#touched)
      for (const example of this.#examples[neuron])
        if (example.activations === unread) this.#read(neuron, example);
    this.#touched.clear();
  }

  #here(): Block {
    if (!this.#block) throw new TypeError('no block has begun');
    return this.#block;
  }

  #keep(neuron: number, { row, magnitude }: { row: number; magnitude: number }): void {
    const { firstPlace, seq } = this.#here();
    const start = Math.max(row - (row % seq), row - before);
    const example = { magnitude, place: firstPlace + row, start: firstPlace + start, activations: unread };
    this.#touched.add(neuron);
    const list = this.#examples[neuron];
    // Of examples with equal magnitude the earlier one stays in front.
    const weaker = list.findIndex((other) => other.magnitude < magnitude);
    list.splice(weaker < 0 ? list.length : weaker, 0, example);
    if (list.length > this.#kept) list.pop();
    if (list.length === this.#kept) this.bar[neuron] = list[this.#kept - 1].magnitude;
  }

  #read(neuron: number, example: NeuronExample): void {
    const { activations, firstPlace, seq } = this.#here();
    const neurons = this.bar.length;
    const start = example.start - firstPlace;
    const row = example.place - firstPlace;
    const end = Math.min(row - (row % seq) + seq, activations.length / neurons, row + after + 1);
    example.activations = new Float32Array(end - start);
    for (let i = start; i < end; i++) example.activations[i - start] = activations[i * neurons + neuron];
  }

  /** Examples of a neuron, strongest first; fewer than `kept` when it fired in fewer contexts. */
  of(neuron: number): readonly NeuronExample[] {
    return this.#examples[neuron];
  }
}
