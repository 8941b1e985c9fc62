/** A random sample of tokens whose MLP activations are kept whole, for measures that need exact products. */
import { Random } from '../tensor/random.ts';

export class LayerSample {
  /** Ascending places in the stream. */
  readonly places: Uint32Array;
  /** A layer's rows of a, [sample, neurons]. */
  readonly layers: readonly Float32Array[];
  readonly #neurons: number;

  /** At most `size` of `tokens` tokens, always the same ones; bounded by `bytes` over all layers together. */
  constructor(tokens: number, shape: { layers: number; neurons: number; size: number; bytes: number }) {
    const { layers, neurons, size, bytes } = shape;
    const affordable = Math.max(1, Math.floor(bytes / (4 * layers * neurons)));
    const count = Math.min(tokens, size, affordable);
    this.places = Random.fromSeed(0, 'sparsity sample').permutation(tokens).slice(0, count).sort();
    this.layers = Array.from({ length: layers }, () => new Float32Array(count * neurons));
    this.#neurons = neurons;
  }

  /** Takes what it wants of a batch that starts at `firstToken`; activations [tokens, neurons]. */
  add(layer: number, firstToken: number, activations: Float32Array): void {
    const neurons = this.#neurons;
    const end = firstToken + activations.length / neurons;
    this.places.forEach((place, row) => {
      if (place < firstToken || place >= end) return;
      const from = (place - firstToken) * neurons;
      this.layers[layer].set(activations.subarray(from, from + neurons), row * neurons);
    });
  }
}
