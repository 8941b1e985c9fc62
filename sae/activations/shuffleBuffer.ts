/** Rows of activations that wait for their turn, in a random order. */
import { float16Table, float32ToFloat16 } from '../formats/float16.ts';
import type { ShardType } from '../spec/shardTypes.ts';
import { Permutation } from './permutation.ts';

export type RowValues = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

export function rowValues(dtype: ShardType, length: number): RowValues {
  return dtype === 'float16' ? new Uint16Array(length) : new Float32Array(length);
}

/** Stores a row as a capture of the same number type would. */
export function storeRow(row: Float32Array, stored: RowValues): void {
  if (stored instanceof Uint16Array) float32ToFloat16(row, stored);
  else stored.set(row);
}

/** ‖x‖ of a stored row, to the bits that `rowNorms` of ./rowNorms.ts gives. */
export function storedNorm(stored: RowValues): number {
  const table = stored instanceof Uint16Array ? float16Table() : null;
  let square = 0;
  for (const number of stored) {
    const value = table ? table[number] : number;
    square += value * value;
  }
  return Math.fround(Math.sqrt(square));
}

/** One filling of the buffer: rows that are given in an order that depends on the seed and on which filling it is alone. */
export class ShuffleBuffer {
  readonly epoch: number;
  readonly fill: number;
  /** Rows of this filling. */
  readonly rows: number;
  /** Rows that were read and left out. */
  readonly excluded: number;
  /** Whether the epoch ends with it. */
  readonly isLast: boolean;
  /** Whether all of its contexts were run. */
  readonly isWhole: boolean;
  #d: number;
  #values: RowValues;
  #order: Permutation | null;
  /** Rows given before those that are kept, where only what is left was kept. */
  #from = 0;

  constructor(
    filling: Pick<ShuffleBuffer, 'epoch' | 'fill' | 'rows' | 'excluded' | 'isLast' | 'isWhole'>,
    values: RowValues,
    { d, seed }: { d: number; seed: number },
  ) {
    this.epoch = filling.epoch;
    this.fill = filling.fill;
    this.rows = filling.rows;
    this.excluded = filling.excluded;
    this.isLast = filling.isLast;
    this.isWhole = filling.isWhole;
    this.#d = d;
    this.#values = values;
    this.#order =
      filling.rows > 0 ? new Permutation(filling.rows, seed, `epoch ${this.epoch} fill ${this.fill}`) : null;
  }

  /** Whether the epoch has no other filling, so that the next one has the same rows. */
  get isWholeEpoch(): boolean {
    return this.isLast && this.isWhole && this.fill === 0;
  }

  /** The same rows in the order of another epoch, where an epoch has no other filling. */
  again(epoch: number, seed: number): ShuffleBuffer {
    const { fill, rows, excluded, isLast, isWhole } = this;
    return new ShuffleBuffer({ epoch, fill, rows, excluded, isLast, isWhole }, this.#values, {
      d: this.#d,
      seed,
    });
  }

  /** Whether the row at `position` of the order is still there. */
  has(position: number): boolean {
    return position >= this.#from;
  }

  /** Copies the row at `position` of the order into `out` at `at`, as float32. */
  copy(position: number, out: Float32Array, at: number): void {
    const row = this.#from > 0 ? position - this.#from : (this.#order?.at(position) ?? 0);
    const from = row * this.#d;
    if (this.#values instanceof Float32Array) out.set(this.#values.subarray(from, from + this.#d), at);
    else {
      const table = float16Table();
      for (let j = 0; j < this.#d; j++) out[at + j] = table[this.#values[from + j]];
    }
  }

  /** Keeps the rows from `position` on alone, and returns the memory of all. */
  keepRest(position: number): RowValues {
    const all = this.#values;
    if (this.#from > 0 || position === 0) return all.slice(0, 0);
    const left = all.slice(0, (this.rows - position) * this.#d);
    for (let at = position; at < this.rows; at++) {
      const from = (this.#order?.at(at) ?? 0) * this.#d;
      left.set(all.subarray(from, from + this.#d), (at - position) * this.#d);
    }
    this.#values = left;
    this.#from = position;
    return all;
  }
}
