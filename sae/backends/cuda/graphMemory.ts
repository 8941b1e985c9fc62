/**
 * Memory of what was captured as graphs, which has the same addresses at every launch. Graphs that run one after the other share it: what is in
 * it when a step begins is of no use any more.
 */
export class GraphMemory {
  /** All of it: capacities by address. */
  readonly #blocks = new Map<number, number>();
  /** What the step that is being captured may take, by capacity. */
  #free = new Map<number, number[]>();
  #open = false;

  /** The capture of a step begins. */
  begin(): void {
    this.#free = new Map();
    this.#open = true;
    for (const [address, capacity] of this.#blocks) this.#keep(address, capacity);
  }

  /** It has ended, so that what is given back from now on is of no use to it. */
  end(): void {
    this.#open = false;
    this.#free.clear();
  }

  take(capacity: number): number | undefined {
    return this.#free.get(capacity)?.pop();
  }

  add(address: number, capacity: number): void {
    this.#blocks.set(address, capacity);
  }

  has(address: number): boolean {
    return this.#blocks.has(address);
  }

  /** For the rest of the step's capture. */
  give(address: number): void {
    const capacity = this.#blocks.get(address);
    if (this.#open && capacity !== undefined) this.#keep(address, capacity);
  }

  capacityOf(address: number): number {
    return this.#blocks.get(address) ?? 0;
  }

  /** The addresses, which the caller gives back. */
  clear(): number[] {
    const addresses = [...this.#blocks.keys()];
    this.#blocks.clear();
    this.end();
    return addresses;
  }

  #keep(address: number, capacity: number): void {
    const list = this.#free.get(capacity);
    if (list) list.push(address);
    else this.#free.set(capacity, [address]);
  }
}
