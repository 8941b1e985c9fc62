/** Keys and values of the tokens already seen, so that generating a token costs one row, not all of them. */
import { tf } from '../tensor/tf.ts';
import type { Tensor4D } from '../tensor/tf.ts';

export class KeyValueCache {
  /** By layer: [batch, keyValueHeads, length, head]. */
  #layers: { k: Tensor4D; v: Tensor4D }[] = [];

  /** Tokens held: the position of the next one. */
  get length(): number {
    return this.#layers[0]?.k.shape[2] ?? 0;
  }

  /** Appends the keys and values of new tokens and returns all of them; the cache owns what it returns. */
  extend(layer: number, k: Tensor4D, v: Tensor4D): { k: Tensor4D; v: Tensor4D } {
    const before = this.#layers[layer];
    const after = {
      k: tf.keep(before ? tf.concat([before.k, k], 2) : k.clone()),
      v: tf.keep(before ? tf.concat([before.v, v], 2) : v.clone()),
    };
    before?.k.dispose();
    before?.v.dispose();
    this.#layers[layer] = after;
    return after;
  }

  /** Keeps these rows of the batch, in this order; a row may be taken several times. */
  select(rows: readonly number[]): void {
    const indices = tf.tensor1d([...rows], 'int32');
    this.#layers = this.#layers.map(({ k, v }) => {
      const kept = { k: tf.gather(k, indices), v: tf.gather(v, indices) };
      tf.dispose([k, v]);
      return kept;
    });
    indices.dispose();
  }

  dispose(): void {
    for (const { k, v } of this.#layers) {
      k.dispose();
      v.dispose();
    }
    this.#layers = [];
  }
}
