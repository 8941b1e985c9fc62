/**
 * Copies between host and device through pinned memory, which the device reads and writes by itself. An upload is done, as
 * far as the caller's array is concerned, when `upload` returns; the device fetches it in the order of the stream.
 */
import koffi from 'koffi';
import type { Device } from './device.ts';
import type { DeviceBuffer } from './deviceMemory.ts';

/** Two such pieces of pinned memory serve uploads: while the device reads one, the other is filled. */
const pieceBytes = 32 * 2 ** 20;
const alignment = 64;

interface Pinned {
  readonly address: number;
  readonly bytes: Uint8Array;
}

interface Piece extends Pinned {
  /** Recorded behind the last copy from this piece. */
  readonly event: number;
  /** Where the next upload's bytes go. */
  next: number;
}

export type HostArray = Float32Array | Int32Array | Uint8Array | Uint16Array;

export class Transfers {
  readonly #device: Device;
  #pieces: [Piece, Piece] | null = null;
  #current = 0;
  #landing: Pinned | null = null;
  /** Landing places of reads whose promises are pending, for reuse by size. */
  readonly #idle: Pinned[] = [];

  constructor(device: Device) {
    this.#device = device;
  }

  /** Copies the array's bytes to the start of `to`, or to `offset` bytes behind it. */
  upload(values: HostArray, to: DeviceBuffer, offset = 0): void {
    const { driver, stream } = this.#device;
    const source = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    for (let at = 0; at < source.length;) {
      const piece = this.#piece(Math.min(source.length - at, pieceBytes));
      const count = Math.min(source.length - at, pieceBytes - piece.next);
      piece.bytes.set(source.subarray(at, at + count), piece.next);
      driver.call(
        'cuMemcpyHtoDAsync',
        Number(to.address) + offset + at,
        piece.address + piece.next,
        count,
        stream,
      );
      piece.next = Math.ceil((piece.next + count) / alignment) * alignment;
      at += count;
    }
  }

  /** Waits for the device, and copies into `target` what `from` then holds. */
  download(from: DeviceBuffer, target: HostArray): void {
    const { driver, stream } = this.#device;
    const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const count = Math.min(bytes.length - at, pieceBytes);
      if (!this.#landing || this.#landing.bytes.length < count) this.#landing = this.#newLanding(count);
      driver.call('cuMemcpyDtoHAsync', this.#landing.address, Number(from.address) + at, count, stream);
      driver.call('cuStreamSynchronize', stream);
      bytes.set(this.#landing.bytes.subarray(0, count), at);
    }
  }

  /** Copies several buffers in one go. The copies have been queued when this returns. */
  async downloadTogether(sources: readonly { from: DeviceBuffer; target: HostArray }[]): Promise<void> {
    const { driver, stream } = this.#device;
    const total = sources.reduce((sum, { target }) => sum + aligned(target.byteLength), 0);
    const landing = this.#takeLanding(total);
    let at = 0;
    for (const { from, target } of sources) {
      if (target.byteLength > 0)
        driver.call(
          'cuMemcpyDtoHAsync',
          landing.address + at,
          Number(from.address),
          target.byteLength,
          stream,
        );
      at += aligned(target.byteLength);
    }
    const event = this.#device.newEvent({ timing: false });
    driver.call('cuEventRecord', event, stream);
    await this.#passed(event);
    at = 0;
    for (const { target } of sources) {
      new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(
        landing.bytes.subarray(at, at + target.byteLength),
      );
      at += aligned(target.byteLength);
    }
    this.#idle.push(landing);
  }

  /** Other work of the process goes on meanwhile. */
  async #passed(event: number): Promise<void> {
    const { driver } = this.#device;
    const notReady = 600;
    try {
      for (;;) {
        const code = driver.functions.cuEventQuery(event);
        if (code === 0) return;
        if (code !== notReady) throw driver.failed('cuEventQuery', code);
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      driver.functions.cuEventDestroy(event);
    }
  }

  #piece(wanted: number): Piece {
    const { driver, stream } = this.#device;
    this.#pieces ??= [this.#newPiece(), this.#newPiece()];
    const piece = this.#pieces[this.#current];
    if (piece.next + Math.min(wanted, pieceBytes) <= pieceBytes) return piece;
    driver.call('cuEventRecord', piece.event, stream);
    this.#current = 1 - this.#current;
    const other = this.#pieces[this.#current];
    driver.call('cuEventSynchronize', other.event);
    other.next = 0;
    return other;
  }

  #newPiece(): Piece {
    return { ...this.#pinned(pieceBytes), event: this.#device.newEvent({ timing: false }), next: 0 };
  }

  #newLanding(bytes: number): Pinned {
    if (this.#landing) this.#device.driver.call('cuMemFreeHost', this.#landing.address);
    this.#landing = null;
    return this.#pinned(powerOfTwo(bytes));
  }

  #takeLanding(bytes: number): Pinned {
    const found = this.#idle.findIndex((idle) => idle.bytes.length >= bytes);
    return found < 0 ? this.#pinned(powerOfTwo(bytes)) : this.#idle.splice(found, 1)[0];
  }

  #pinned(bytes: number): Pinned {
    const address = this.#device.driver.read('cuMemHostAlloc', bytes, 0);
    return { address, bytes: new Uint8Array(koffi.view(BigInt(address), bytes)) };
  }
}

const aligned = (bytes: number) => Math.ceil(bytes / alignment) * alignment;
const powerOfTwo = (bytes: number) => 2 ** Math.ceil(Math.log2(Math.max(bytes, 4096)));
