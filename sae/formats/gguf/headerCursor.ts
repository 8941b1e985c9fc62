/**
 * Reads a file's header value by value, a window at a time: how long it is turns out only at its end, and the file
 * behind it may be of any size.
 */
import { readSync } from 'node:fs';

const windowBytes = 1 << 20;

export class HeaderCursor {
  readonly #fd: number;
  readonly #limit: number;
  readonly #damaged: (why: string) => Error;
  #window = Buffer.alloc(0);
  #start = 0;
  #at = 0;

  /** Reads at most `limit` bytes, the file's size or less. `damaged` makes the error for what goes beyond. */
  constructor(fd: number, limit: number, damaged: (why: string) => Error) {
    this.#fd = fd;
    this.#limit = limit;
    this.#damaged = damaged;
  }

  get position(): number {
    return this.#start + this.#at;
  }
  /** Bytes that may still come. */
  get left(): number {
    return this.#limit - this.position;
  }

  /** The next bytes; a view that the next call may overwrite. */
  take(length: number): Buffer {
    if (length > this.left) throw this.#damaged(`it ends at byte ${this.#limit}, within its header`);
    if (this.#at + length > this.#window.length) this.#refill(length);
    this.#at += length;
    return this.#window.subarray(this.#at - length, this.#at);
  }

  uint32(): number {
    return this.take(4).readUInt32LE(0);
  }
  /** Throws for what a double can't hold exactly: no count or offset is that large. */
  uint64(what: string): number {
    const value = this.take(8).readBigUInt64LE(0);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.#damaged(`${what} is ${value}`);
    return Number(value);
  }
  text(longest: number, what: string): string {
    const length = this.uint64(`the length of ${what}`);
    if (length > longest) throw this.#damaged(`${what} is ${length} bytes long, and may have ${longest}`);
    return this.take(length).toString('utf8');
  }

  #refill(length: number): void {
    const start = this.position;
    const window = Buffer.alloc(Math.min(Math.max(windowBytes, length), this.#limit - start));
    for (let at = 0; at < window.length;) {
      const read = readSync(this.#fd, window, at, window.length - at, start + at);
      if (read === 0) throw this.#damaged(`it ends at byte ${start + at}, within its header`);
      at += read;
    }
    this.#window = window;
    this.#start = start;
    this.#at = 0;
  }
}
