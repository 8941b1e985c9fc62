/**
 * Groups of bindings, kept by layout and buffers, because making one takes longer than all other calls of a dispatch together. In steady training the pool gives the same
 * buffers to the same tensors of each step, so that no step makes a group.
 */
import type { BufferPool } from './bufferPool.ts';

/** Most groups that are kept: tensors of sizes that do not come back must not fill the memory with them. */
const most = 4096;

export class BindGroups {
  readonly #pool: BufferPool;
  readonly #known = new Map<string, GPUBindGroup>();
  readonly #numbers = new WeakMap<object, number>();
  #count = 0;

  /** All buffers are those of `pool`. */
  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** The group of these whole buffers by `layout`, an object of which there is one for each layout. `make` makes it. */
  of(layout: object, buffers: readonly GPUBuffer[], make: () => GPUBindGroup): GPUBindGroup {
    let key = `${this.#numberOf(layout)}:`;
    for (const buffer of buffers) key += `${this.#pool.numberOf(buffer)} `;
    const known = this.#known.get(key);
    if (known) return known;
    const group = make();
    if (this.#known.size === most) this.#known.clear();
    this.#known.set(key, group);
    return group;
  }

  #numberOf(layout: object): number {
    const known = this.#numbers.get(layout);
    if (known !== undefined) return known;
    this.#numbers.set(layout, ++this.#count);
    return this.#count;
  }
}
