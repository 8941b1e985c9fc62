/** Rows of activations that stay on the device between the model that made them and the dictionary that trains on them. */
import type { Tensor2D } from '../tensor/tf.ts';
import type { Batch } from './trainingStep.ts';

/** Memory for rows of d numbers, rounded as a capture of the same number type rounds them. */
export interface RowStore {
  /** ‖x‖ of each row of activations [rows, d] as it would be stored; not finite where a number doesn't fit the type. */
  norms(activations: Tensor2D): Promise<Float32Array>;
  /** Stores those of the activations [n, d] that `rows` names, from `place` on. */
  put(activations: Tensor2D, rows: Int32Array, place: number): void;
  /** Stores rows [n × d] that are in the store's number type already, from `place` on. The array is the caller's again when this returns. */
  fill(values: Uint16Array | Float32Array, place: number): void;
  /** A store of these places' rows alone, in their order. */
  copy(places: Int32Array): RowStore;
  /** The rows at these places, [places × d]. Waits for the device. */
  read(places: Int32Array): Float32Array;
  dispose(): void;
}

/** Rows at some places of a store. */
export interface StoredRows {
  readonly store: RowStore;
  readonly places: Int32Array;
}

export interface RowStores {
  /** Bytes of rows that leave a device of this size enough memory for training. */
  readonly ampleBytes: number;
  /**
   * Throws `unavailable` when the device has no memory for so many rows. With `lost`, the store is let go of where the device has no memory left for
   * others, and `lost` is told.
   */
  open(rows: number, d: number, dtype: 'float16' | 'float32', lost?: () => void): RowStore;
  /** The rows of all parts, one after the other, as `scaledBatch` gives them, to the same bits. */
  batch(parts: readonly StoredRows[], d: number, scale: number): Batch;
}
