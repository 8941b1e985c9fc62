/**
 * Stretches of a shuffled order whose rows are in memory, for a capture that is fetched as it is read and fits neither memory nor the cache: rows of
 * every shard are next to one another in the order, so each stretch takes one pass over the capture. The next one is collected while this one is used.
 */
import type { CaptureStream } from './captureStream.ts';
import type { Capture } from './openCapture.ts';
import { Permutation } from './permutation.ts';

/** A place in the order. */
interface Place {
  seed: number;
  epoch: number;
  position: number;
}

interface Window extends Place {
  /** Rows from `position` on. */
  rows: number;
  /** By hook point, [rows × width]. */
  values: Map<string, Float32Array>;
}

export class ShuffledWindows {
  readonly #capture: Pick<Capture, 'trainRows' | 'width'>;
  readonly #stream: CaptureStream;
  readonly #hooks: readonly string[];
  readonly #rows: number;
  #windows: Window[] = [];
  #next: { place: Place; window: Promise<Window>; stop: AbortController } | undefined;

  constructor(
    capture: Pick<Capture, 'trainRows' | 'width'>,
    stream: CaptureStream,
    hooks: readonly string[],
  ) {
    this.#capture = capture;
    this.#stream = stream;
    this.#hooks = hooks;
    const values = hooks.reduce((sum, hook) => sum + capture.width(hook), 0);
    // One that is used and one that comes.
    this.#rows = Math.max(1, Math.floor(stream.memory / 2 / (4 * values)));
  }

  /** Waits until so many rows from a place on are in memory, and lets go what lies before it. Throws what fetching throws. */
  async cover(from: Place, rows: number): Promise<void> {
    const here = this.#windows.findIndex((window) => has(window, from));
    this.#windows = here < 0 ? [] : this.#windows.slice(here);
    for (let place = from, left = rows; left > 0;) {
      let window = this.#windows.find((one) => has(one, place));
      if (!window) {
        window = await this.#take(place);
        this.#windows.push(window);
      }
      left -= window.position + window.rows - place.position;
      place = this.#after(window);
    }
    const last = this.#windows.at(-1);
    if (last && this.#windows.length === 1 && !this.#next) this.#begin(this.#after(last));
  }

  /** Copies the row at a place that is covered to `at`. */
  copy(hook: string, place: Place, out: Float32Array, at: number): void {
    const window = this.#windows.find((one) => has(one, place));
    const values = window?.values.get(hook);
    if (!window || !values)
      throw new Error(`row ${place.position} of epoch ${place.epoch} was not made ready`);
    const width = this.#capture.width(hook);
    const from = (place.position - window.position) * width;
    out.set(values.subarray(from, from + width), at);
  }

  async close(): Promise<void> {
    this.#windows = [];
    await this.#drop();
  }

  async #take(place: Place): Promise<Window> {
    if (this.#next && !isSame(this.#next.place, place)) await this.#drop();
    const { window } = this.#next ?? this.#begin(place);
    try {
      return await window;
    } finally {
      this.#next = undefined;
    }
  }

  #begin(place: Place) {
    const stop = new AbortController();
    const window = this.#collect(place, stop.signal);
    // Whoever waits for it is told.
    window.catch(() => {});
    return (this.#next = { place, window, stop });
  }

  async #drop(): Promise<void> {
    const next = this.#next;
    this.#next = undefined;
    next?.stop.abort();
    await next?.window.catch(() => {});
  }

  async #collect({ seed, epoch, position }: Place, stop: AbortSignal): Promise<Window> {
    const { trainRows } = this.#capture;
    const order = new Permutation(trainRows, seed, `epoch ${epoch}`);
    const rows = Math.min(this.#rows, trainRows - position);
    const chosen = Uint32Array.from({ length: rows }, (_, i) => order.at(position + i));
    const values = new Map<string, Float32Array>();
    for (const hook of this.#hooks) {
      const out = new Float32Array(rows * this.#capture.width(hook));
      await this.#stream.collect(hook, chosen, out, stop);
      values.set(hook, out);
    }
    return { seed, epoch, position, rows, values };
  }

  #after({ seed, epoch, position, rows }: Window): Place {
    const end = position + rows;
    const goesOn = end < this.#capture.trainRows;
    return goesOn ? { seed, epoch, position: end } : { seed, epoch: epoch + 1, position: 0 };
  }
}

const isSame = (a: Place, b: Place) => a.seed === b.seed && a.epoch === b.epoch && a.position === b.position;

const has = (window: Window, { seed, epoch, position }: Place) =>
  window.seed === seed &&
  window.epoch === epoch &&
  position >= window.position &&
  position < window.position + window.rows;
