/**
 * Uploads by way of two pieces of pinned memory: while the device reads one, the host fills the other. An array that was
 * given is the caller's again when `upload` returns; the device fetches its copy in the order of the stream.
 */
import type { Device } from './device.ts';
import { type PinnedMemory, pinnedMemory } from './pinnedMemory.ts';

/** What a copy of the device's likes to begin at. */
const alignment = 64;

interface Piece {
  readonly memory: PinnedMemory;
  /** Recorded behind the last copy from this piece. */
  readonly event: number;
  /** Where the next upload's bytes go. */
  next: number;
}

export class PinnedUploads {
  readonly #device: Device;
  readonly #stream: number;
  readonly #pieceBytes: number;
  #pieces: [Piece, Piece] | null = null;
  #current = 0;

  constructor(device: Device, stream: number, pieceBytes: number) {
    this.#device = device;
    this.#stream = stream;
    this.#pieceBytes = pieceBytes;
  }

  /** Copies bytes to an address on the device. Waits only where both pieces are full of what the device has not read yet. */
  upload(source: Uint8Array, address: number): void {
    this.uploadInParts(source.length, 1, address, (into, from) =>
      into.set(source.subarray(from, from + into.length)),
    );
  }

  /** The same of bytes that `write` puts into a piece, from byte `from` on: at once or in parts, which are multiples of `unit`. */
  uploadInParts(
    bytes: number,
    unit: number,
    address: number,
    write: (into: Uint8Array, from: number) => void,
  ): void {
    if (unit > this.#pieceBytes)
      throw new RangeError(`${unit} bytes don't fit a piece of ${this.#pieceBytes}.`);
    const { driver, host } = this.#device;
    const before = performance.now();
    for (let at = 0; at < bytes;) {
      const piece = this.#pieceFor(bytes - at);
      const { memory, next } = piece;
      const room = Math.floor((this.#pieceBytes - next) / unit) * unit;
      const count = Math.min(bytes - at, room);
      write(memory.bytes.subarray(next, next + count), at);
      driver.call('cuMemcpyHtoDAsync', address + at, memory.address + next, count, this.#stream);
      piece.next = Math.ceil((next + count) / alignment) * alignment;
      at += count;
    }
    host.upload += performance.now() - before;
  }

  /** The current piece, where it has room for what is left, and otherwise the other one. What fits no piece is split. */
  #pieceFor(left: number): Piece {
    const { driver } = this.#device;
    this.#pieces ??= [this.#newPiece(), this.#newPiece()];
    const piece = this.#pieces[this.#current];
    if (piece.next + Math.min(left, this.#pieceBytes) <= this.#pieceBytes) return piece;
    driver.call('cuEventRecord', piece.event, this.#stream);
    this.#current = 1 - this.#current;
    const other = this.#pieces[this.#current];
    driver.call('cuEventSynchronize', other.event);
    other.next = 0;
    return other;
  }

  #newPiece(): Piece {
    const event = this.#device.newEvent({ timing: false });
    return { memory: pinnedMemory(this.#device, this.#pieceBytes), event, next: 0 };
  }
}
