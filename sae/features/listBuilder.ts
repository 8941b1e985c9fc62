/** Builds a column of lists, row by row, in one typed array that grows as needed. */
import type { FlatLists } from '../store/parquet.ts';

export class ListBuilder<Values extends Int32Array | Float32Array> {
  #values: Values;
  #offsets: Uint32Array;
  #rows = 0;
  #make: new (length: number) => Values;

  /** For at most `rows` lists with about `expected` values each. */
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

  /** The lists added so far; with `rows`, empty lists are appended until the column has that many. */
  lists(rows = this.#offsets.length - 1): FlatLists {
    const end = this.#offsets[this.#rows];
    const offsets = this.#offsets.slice(0, rows + 1);
    return { values: this.#values, offsets: offsets.fill(end, Math.min(this.#rows, rows)) };
  }
}
