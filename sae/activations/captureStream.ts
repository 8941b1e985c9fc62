/**
 * Shards of a capture that lies elsewhere, fetched as they are read: the next ones come while those that are there are used, as far as the cache has
 * room beside them. A shard whose rows were read is the first to make room again, so that a capture may be larger than the cache.
 */
import { fetchAhead, holdIn, type Release } from '../store/remote/bringIn.ts';
import type { HookRows } from './hookRows.ts';

/** How rows that aren't on this disk yet are read. Hook points, rows and values are those of the capture, or of what was selected from it. */
export interface CaptureStream {
  /** Bytes that collected rows may take. */
  readonly memory: number;
  /**
   * Waits until rows `start` … `start + count − 1` can be read, until the next call for this hook point. Of what is read afterwards, rows `next[0]` …
   * `next[1] − 1`, the first shards are fetched meanwhile. Throws what fetching throws.
   */
  ready(hook: string, start: number, count: number, next?: readonly [number, number]): Promise<void>;
  /** Copies the given rows, in any order, into `out` [rows × width], in one pass over the shards that have them. Ends early once `stop` is aborted. */
  collect(hook: string, rows: Uint32Array, out: Float32Array, stop?: AbortSignal): Promise<void>;
}

/** Shards that are fetched ahead of those that are read. */
const ahead = 4;

/** The shards of one hook point. */
export class ShardStream {
  readonly #rows: HookRows;
  readonly #paths: readonly string[];
  /** Those that `ready` has made ready. */
  readonly #held = new Map<number, Release>();
  /** Every second pass goes backwards, so that it begins with what the cache still has. */
  #backwards = false;

  constructor(rows: HookRows, paths: readonly string[]) {
    this.#rows = rows;
    this.#paths = paths;
  }

  async ready(start: number, count: number, next?: readonly [number, number]): Promise<void> {
    if (count === 0) return;
    const wanted = this.#rows.shardsOf(start, count);
    for (const index of this.#held.keys()) if (!wanted.includes(index)) this.#leave(index);
    const missing = wanted.filter((index) => !this.#held.has(index) && !this.#rows.isLoaded(index));
    const after = next && next[1] > next[0] ? this.#rows.shardsOf(next[0], next[1] - next[0]) : [];
    const later = after.filter((index) => !wanted.includes(index));
    if (this.#rows.keepsValues) {
      for (const [at, index] of missing.entries()) {
        const coming = holdIn([this.#paths[index]], { quietly: true });
        this.#fetchAhead([...missing.slice(at + 1), ...later]);
        const release = await coming;
        try {
          this.#rows.load(index);
        } finally {
          release(true);
        }
      }
      return;
    }
    const coming = missing.map((index) => holdIn([this.#paths[index]], { quietly: true }));
    this.#fetchAhead(later);
    const ended = await Promise.allSettled(coming);
    for (const [at, one] of ended.entries())
      if (one.status === 'fulfilled') this.#held.set(missing[at], one.value);
    const failed = ended.find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
  }

  async collect(rows: Uint32Array, out: Float32Array, stop?: AbortSignal): Promise<void> {
    const places = new Map<number, number[]>();
    for (let place = 0; place < rows.length; place++) {
      const [index] = this.#rows.shardsOf(rows[place], 1);
      const known = places.get(index);
      if (known) known.push(place);
      else places.set(index, [place]);
    }
    const order = [...places.keys()].sort((a, b) => (this.#backwards ? b - a : a - b));
    this.#backwards = !this.#backwards;
    for (const [at, index] of order.entries()) {
      if (stop?.aborted) return;
      const coming = holdIn(this.#rows.isLoaded(index) ? [] : [this.#paths[index]], { quietly: true });
      this.#fetchAhead(order.slice(at + 1));
      const release = await coming;
      try {
        this.#rows.gatherAt(rows, places.get(index) ?? [], out);
      } finally {
        this.#rows.letGo(index);
        release(true);
      }
    }
  }

  close(): void {
    for (const index of this.#held.keys()) this.#leave(index);
  }

  #fetchAhead(indices: readonly number[]): void {
    fetchAhead(
      indices
        .filter((index) => !this.#rows.isLoaded(index))
        .slice(0, ahead)
        .map((index) => this.#paths[index]),
    );
  }

  #leave(index: number): void {
    this.#rows.letGo(index);
    this.#held.get(index)?.(true);
    this.#held.delete(index);
  }
}
