/** Where the rows of a filled buffer are: in memory of the host, or of the device that the model and the trainer compute on. */
import { float16Table, float32ToFloat16 } from '../formats/float16.ts';
import type { RowStore } from '../ops/rowStore.ts';
import type { ShardType } from '../spec/shardTypes.ts';

export type RowValues = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** Rows by their places. */
export interface RowMemory {
  readonly rows: number;
  /** A memory of these places' rows alone, in their order. */
  copy(places: Int32Array): RowMemory;
  /** Copies the rows at these places into `out` at `at`, as float32. */
  read(places: Int32Array, out: Float32Array, at: number): void;
  dispose(): void;
}

/** Stores a row as a capture of the same number type would. */
function storeRow(row: Float32Array, stored: RowValues): void {
  if (stored instanceof Uint16Array) float32ToFloat16(row, stored);
  else stored.set(row);
}

/** ‖x‖ of a stored row, to the bits that `rowNorms` of ./rowNorms.ts gives. */
function storedNorm(stored: RowValues): number {
  const table = stored instanceof Uint16Array ? float16Table() : null;
  let square = 0;
  for (const number of stored) {
    const value = table ? table[number] : number;
    square += value * value;
  }
  return Math.fround(Math.sqrt(square));
}

export class HostRows implements RowMemory {
  readonly rows: number;
  readonly #d: number;
  readonly #values: RowValues;

  constructor(rows: number, d: number, dtype: ShardType) {
    this.rows = rows;
    this.#d = d;
    this.#values = dtype === 'float16' ? new Uint16Array(rows * d) : new Float32Array(rows * d);
  }

  /** Stores a row, and returns its norm as it is stored. */
  put(row: Float32Array, place: number): number {
    const stored = this.#at(place);
    storeRow(row, stored);
    return storedNorm(stored);
  }

  copy(places: Int32Array): HostRows {
    const dtype = this.#values instanceof Uint16Array ? 'float16' : 'float32';
    const copy = new HostRows(places.length, this.#d, dtype);
    places.forEach((place, i) => copy.#values.set(this.#at(place), i * this.#d));
    return copy;
  }

  read(places: Int32Array, out: Float32Array, at: number): void {
    const d = this.#d;
    const values = this.#values;
    const table = values instanceof Uint16Array ? float16Table() : null;
    for (let i = 0; i < places.length; i++) {
      const from = places[i] * d;
      const to = at + i * d;
      if (table) for (let j = 0; j < d; j++) out[to + j] = table[values[from + j]];
      else out.set(this.#at(places[i]), to);
    }
  }

  /** Memory of the host needs no disposal. */
  dispose(): void {}

  #at(place: number): RowValues {
    return this.#values.subarray(place * this.#d, (place + 1) * this.#d);
  }
}

export class DeviceRows implements RowMemory {
  readonly rows: number;
  readonly store: RowStore;

  constructor(rows: number, store: RowStore) {
    this.rows = rows;
    this.store = store;
  }

  copy(places: Int32Array): DeviceRows {
    return new DeviceRows(places.length, this.store.copy(places));
  }

  read(places: Int32Array, out: Float32Array, at: number): void {
    out.set(this.store.read(places), at);
  }

  dispose(): void {
    this.store.dispose();
  }
}
