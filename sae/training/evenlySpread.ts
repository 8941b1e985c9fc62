/**
 * A sample of a sequence of unknown length in bounded memory: every item, then every second one, every fourth one, …, and
 * always the last.
 */
export class EvenlySpread<Item> {
  readonly #most: number;
  #items: Item[] = [];
  #stride = 1;
  #seen = 0;
  #last: (() => Item) | undefined;

  /** Between `most` and twice as many items are kept. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Items in memory. */
  get kept(): number {
    return this.#items.length;
  }

  /** The item is made only where it is kept; until the next call for the last one. */
  add(make: () => Item): void {
    this.#last = undefined;
    if (this.#seen % this.#stride === 0) this.#items.push(make());
    else this.#last = make;
    this.#seen++;
    if (this.#items.length < 2 * this.#most) return;
    // Of an even number of items, every second one: the last of them is no longer there.
    const last = this.#items.at(-1);
    this.#items = this.#items.filter((_, i) => i % 2 === 0);
    this.#stride *= 2;
    if (last !== undefined) this.#last = () => last;
  }

  /** At most `count` of the items, with the first and the last; all of them where there are no more. */
  take(count: number): Item[] {
    const items = this.#last ? [...this.#items, this.#last()] : this.#items;
    if (items.length <= count) return items;
    if (count === 1) return [items[0]];
    return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]);
  }
}
