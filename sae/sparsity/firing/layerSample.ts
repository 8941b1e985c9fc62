/** A random sample of tokens whose full activation vectors are kept, for measures that need exact products. */
import { Random } from '../../numerics/random.ts';
import { hostValues } from '../../tensor/hostValues.ts';
import { tf, type Tensor } from '../../tensor/tf.ts';

export class LayerSample {
  /** [sample]: places of the sampled tokens in the stream, ascending. */
  readonly places: Uint32Array;
  /** [layers][sample, width]: the sampled rows of each layer. */
  readonly layers: readonly Float32Array[];
  readonly #width: number;

  /** Samples at most `size` of `tokens` tokens, the same ones on every run, in at most `bytes` bytes over all layers. */
  constructor(tokens: number, shape: { layers: number; width: number; size: number; bytes: number }) {
    const { layers, width, size, bytes } = shape;
    const affordable = Math.max(1, Math.floor(bytes / (4 * layers * width)));
    const count = Math.min(tokens, size, affordable);
    this.places = Random.fromSeed(0, 'sparsity sample').permutation(tokens).slice(0, count).sort();
    this.layers = Array.from({ length: layers }, () => new Float32Array(count * width));
    this.#width = width;
  }

  /** Copies the sampled rows of a batch that starts at `firstToken`; activations [tokens, width], or with more axes before the last. */
  add(layer: number, firstToken: number, activations: Tensor): void {
    const width = this.#width;
    const end = firstToken + activations.size / width;
    const from = this.places.findIndex((place) => place >= firstToken && place < end);
    if (from < 0) return;
    const chosen = this.places.subarray(from).filter((place) => place < end);
    // Only these rows are read: memory that was read on the host is not used again for the next batch's tensors.
    const rows = hostValues(() =>
      tf.gather(
        activations.reshape([-1, width]),
        tf.tensor1d(
          Int32Array.from(chosen, (place) => place - firstToken),
          'int32',
        ),
      ),
    );
    this.layers[layer].set(rows, from * width);
  }
}
