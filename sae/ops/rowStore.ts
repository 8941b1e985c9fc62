/** Rows of activations that a backend's own memory holds, or that the host sends there as they are stored. */
import type { Tensor2D } from '../tensor/tf.ts';
import type { ShardType } from '../spec/shardTypes.ts';
import type { Batch } from './trainingStep.ts';

/** The number types that rows are stored in. */
export type RowType = ShardType;

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

/** One of the blocks of columns that a batch is put together from, side by side. */
interface Columns {
  /** How many columns. */
  readonly d: number;
  /** What their numbers are multiplied by, in double precision, before they are rounded to float32. */
  readonly scale: number;
}

/** Columns whose rows [rows, d] are at places of a store. */
export interface StoredColumns extends StoredRows, Columns {}

/** Columns whose rows [rows, d] the host has, in numbers of this type. */
export interface HostColumns extends Columns {
  readonly dtype: RowType;
  /** Writes rows `first` … `first + count − 1` of the batch to `into` [count × d], as the processor has numbers of the type in memory. */
  write(into: Uint8Array, first: number, count: number): void;
}

export interface RowStores {
  /** Bytes of rows that leave a device of this size enough memory for training. */
  readonly ampleBytes: number;
  /**
   * Throws `unavailable` when the device has no memory for so many rows. With `lost`, the store is let go of where the device has no memory left for
   * others, and `lost` is told.
   */
  open(rows: number, d: number, dtype: RowType, lost?: () => void): RowStore;
  /** The rows of all parts, one after the other, as `scaledBatch` gives them, to the same bits. */
  batch(parts: readonly StoredRows[], d: number, scale: number): Batch;
  /**
   * The columns of a crosscoder's hook points side by side, as `scaledBatch` gives them of rows that `jointRows` of sae/activations has put side by
   * side, to the same bits. Backends that leave it out get such rows from the host.
   */
  jointBatch?(columns: readonly StoredColumns[], scale: number): Batch;
}

/**
 * What `jointBatch` gives, of rows that the host has, one block of columns or several. They are handed over as they are stored, and `write` is called before this
 * returns.
 */
export type HostBatch = (columns: readonly HostColumns[], rows: number, scale: number) => Batch;

/** What is asked of a device's kernels by whoever has rows for it. */
export interface DeviceOfRows {
  readonly rowStores?: RowStores | undefined;
  /** Absent where rows that the host has are widened and scaled there. */
  readonly hostBatch?: HostBatch | undefined;
  /** Makes the device that of TF.js's operations while `run` runs; absent where there is one device. */
  on?<T>(run: () => T): T;
}
