/** Rows of activations that wait for their turn, in a random order. */
import { Permutation } from './permutation.ts';
import type { RowMemory } from './rowMemory.ts';

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
  #memory: RowMemory;
  #order: Permutation | null;
  /** Rows given before those that are kept, where only what is left was kept. */
  #from = 0;

  constructor(
    filling: Pick<ShuffleBuffer, 'epoch' | 'fill' | 'rows' | 'excluded' | 'isLast' | 'isWhole'>,
    memory: RowMemory,
    seed: number,
  ) {
    this.epoch = filling.epoch;
    this.fill = filling.fill;
    this.rows = filling.rows;
    this.excluded = filling.excluded;
    this.isLast = filling.isLast;
    this.isWhole = filling.isWhole;
    this.#memory = memory;
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
    return new ShuffleBuffer({ epoch, fill, rows, excluded, isLast, isWhole }, this.#memory, seed);
  }

  /** Whether the row at `position` of the order is still there. */
  has(position: number): boolean {
    return position >= this.#from;
  }

  get memory(): RowMemory {
    return this.#memory;
  }

  /** Where in the memory the rows at `count` positions of the order from `position` on are. */
  places(position: number, count: number): Int32Array {
    return Int32Array.from({ length: count }, (_, i) => this.#place(position + i));
  }

  /** Keeps the rows from `position` on alone, and returns the memory of all; null where they are all kept, or their memory has been returned. */
  keepRest(position: number): RowMemory | null {
    if (this.#from > 0 || position === 0) return null;
    const all = this.#memory;
    this.#memory = all.copy(this.places(position, this.rows - position));
    this.#from = position;
    return all;
  }

  #place(position: number): number {
    return this.#from > 0 ? position - this.#from : (this.#order?.at(position) ?? 0);
  }
}
