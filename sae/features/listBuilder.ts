/** Builds a column of lists row by row into one typed array that grows. */
import type { FlatLists } from '../store/parquet.ts';

export class ListBuilder<Values extends Int32Array | Float32Array> {
  #values: Values;
  #offsets: Uint32Array;
  #rows = 0;
  #make: new (length: number) => Values;

  /** `rows` lists at most, about `expected` values each. */
  constructor(make: new (length: number) => Values, rows: number, expected: number) {
    this.#make = make;
    this.#values = new make(Math.max(1, rows * expected));
    this.#offsets = new Uint32Array(rows + 1);
  }

  add(list: ArrayLike<number>): void {
    const from = this.#offsets[this.#rows];
    const to = from + list.length;
    if (to > this.#values.length) {
      const grown = new this.#make(Math.max(to, 2 * this.#values.length));
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values.set(list, from);
    this.#offsets[++this.#rows] = to;
  }

  /** The lists that were added; pass how many rows the column must have when the last ones may be missing. */
  lists(rows = this.#offsets.length - 1): FlatLists {
    const end = this.#offsets[this.#rows];
    const offsets = this.#offsets.slice(0, rows + 1);
    return { values: this.#values, offsets: offsets.fill(end, Math.min(this.#rows, rows)) };
  }
}
