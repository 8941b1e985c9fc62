/**
 * Copies between host and device. Small ones take their turn among the kernels; large ones go by a stream of their own, so
 * that the next batch travels while the device computes, and kernels wait for it by an event.
 */
import type { Device } from './device.ts';
import type { DeviceBuffer, DeviceMemory } from './deviceMemory.ts';
import { NotCapturable } from './notCapturable.ts';
import { type PinnedMemory, pinnedMemory } from './pinnedMemory.ts';
import { PinnedUploads } from './pinnedUploads.ts';

/** From here on an upload is worth two events. */
const large = 2 ** 20;
const smallPiece = 8 * 2 ** 20;
const largePiece = 32 * 2 ** 20;
const alignment = 64;
/** Words that a graph may hold for itself. */
const mostConstants = 16;
/** CUDA_ERROR_NOT_READY */
const notReady = 600;

export type HostArray = Float32Array | Int32Array | Uint8Array | Uint16Array;

/** Where the results of one read arrive, kept for the next. */
interface Landing {
  readonly memory: PinnedMemory;
  readonly event: number;
}

export class Transfers {
  readonly #device: Device;
  readonly #memory: DeviceMemory;
  readonly #inTurn: PinnedUploads;
  readonly #ahead: PinnedUploads;
  readonly #copyStream: number;
  /** Recorded behind the last large upload. */
  readonly #arrived: number;
  readonly #idle: Landing[] = [];
  /** Addresses of memory from which the device fetches arrays by itself. */
  readonly #pinned = new WeakMap<ArrayBufferLike, number>();
  /** Pinned arrays that nobody uses, by their length. */
  readonly #keptFloats = new Map<number, Float32Array[]>();

  constructor(device: Device, memory: DeviceMemory) {
    this.#device = device;
    this.#memory = memory;
    this.#copyStream = device.newStream();
    this.#arrived = device.newEvent({ timing: false });
    this.#inTurn = new PinnedUploads(device, device.stream, smallPiece);
    this.#ahead = new PinnedUploads(device, this.#copyStream, largePiece);
  }

  /** The values in memory of the device, which kernels launched from now on find there. */
  uploaded(values: HostArray): DeviceBuffer {
    if (values.byteLength < large) {
      const buffer = this.#memory.take(values.byteLength);
      this.upload(values, buffer);
      return buffer;
    }
    const pinned = this.#pinned.get(values.buffer);
    return this.#sentAhead(values.byteLength, (address) => {
      if (pinned === undefined) return this.#ahead.upload(bytesOf(values), address);
      const from = pinned + values.byteOffset;
      this.#device.driver.call('cuMemcpyHtoDAsync', address, from, values.byteLength, this.#copyStream);
    });
  }

  /** The same of bytes that `write` puts where they are sent from, from byte `from` on: at once or in parts, which are multiples of `unit`. */
  uploadedInParts(
    bytes: number,
    unit: number,
    write: (into: Uint8Array, from: number) => void,
  ): DeviceBuffer {
    if (bytes >= large)
      return this.#sentAhead(bytes, (address) => this.#ahead.uploadInParts(bytes, unit, address, write));
    const buffer = this.#memory.take(bytes);
    return this.#orGiveBack(buffer, () =>
      this.#inTurn.uploadInParts(bytes, unit, Number(buffer.address), write),
    );
  }

  /** Memory to which `send` copies by the other stream. */
  #sentAhead(bytes: number, send: (address: number) => void): DeviceBuffer {
    const { driver, stream } = this.#device;
    const { buffer, lastUse } = this.#memory.takeForCopy(bytes);
    return this.#orGiveBack(buffer, () => {
      if (lastUse !== null) driver.call('cuStreamWaitEvent', this.#copyStream, lastUse, 0);
      try {
        send(Number(buffer.address));
      } finally {
        // Also of what was sent before an error: the memory has another use once it is given back.
        driver.call('cuEventRecord', this.#arrived, this.#copyStream);
        driver.call('cuStreamWaitEvent', stream, this.#arrived, 0);
      }
    });
  }

  #orGiveBack(buffer: DeviceBuffer, run: () => void): DeviceBuffer {
    try {
      run();
      return buffer;
    } catch (error) {
      this.#memory.give(buffer);
      throw error;
    }
  }

  /**
   * An array that large uploads read while the device computes, so that it must stay as it is until they are done. Its memory is never freed: give
   * it back for the next one.
   */
  pinnedFloats(length: number): Float32Array {
    const kept = this.#keptFloats.get(length)?.pop();
    if (kept) return kept;
    const { address, bytes } = pinnedMemory(this.#device, Math.max(4 * length, 4));
    this.#pinned.set(bytes.buffer, address);
    return new Float32Array(bytes.buffer, bytes.byteOffset, length);
  }

  /** Takes an array of `pinnedFloats` back. */
  givePinned(values: Float32Array): void {
    if (!this.#pinned.has(values.buffer)) throw new TypeError('Only pinned memory can be given back.');
    const kept = this.#keptFloats.get(values.length);
    if (kept) kept.push(values);
    else this.#keptFloats.set(values.length, [values]);
  }

  /** Copies the array's bytes to the start of `to`, after the kernels launched so far. */
  upload(values: HostArray, to: DeviceBuffer): void {
    if (this.#device.capturing) {
      this.#constant(values, to);
      return;
    }
    this.#inTurn.upload(bytesOf(values), Number(to.address));
  }

  /** A graph would read the host's memory when it is launched, so that it gets the few numbers by value. */
  #constant(values: HostArray, to: DeviceBuffer): void {
    const { driver, stream } = this.#device;
    if (values.byteLength % 4 !== 0 || values.byteLength > 4 * mostConstants)
      throw new NotCapturable(`it sent ${values.byteLength} bytes to the device`);
    new Uint32Array(bytesOf(values).slice().buffer).forEach((word, i) =>
      driver.call('cuMemsetD32Async', Number(to.address) + 4 * i, word, 1, stream),
    );
  }

  /** Waits for the device, and copies into `target` what `from` then holds. */
  download(from: DeviceBuffer, target: HostArray): void {
    if (this.#device.capturing) throw new NotCapturable('it read from the device in its middle');
    const { driver, stream } = this.#device;
    const bytes = bytesOf(target);
    const { memory, event } = this.#takeLanding(Math.min(bytes.length, largePiece));
    for (let at = 0; at < bytes.length; at += largePiece) {
      const count = Math.min(bytes.length - at, largePiece);
      driver.call('cuMemcpyDtoHAsync', memory.address, Number(from.address) + at, count, stream);
      this.#device.synchronize();
      bytes.set(memory.bytes.subarray(0, count), at);
    }
    this.#idle.push({ memory, event });
  }

  /** Copies several buffers at once. The copies have been queued when this returns. */
  async downloadTogether(sources: readonly { from: DeviceBuffer; target: HostArray }[]): Promise<void> {
    if (this.#device.capturing) throw new NotCapturable('it read from the device in its middle');
    const { driver, stream } = this.#device;
    const total = sources.reduce((sum, { target }) => sum + aligned(target.byteLength), 0);
    if (total === 0) return;
    const landing = this.#takeLanding(total);
    const { memory, event } = landing;
    let at = 0;
    for (const { from, target } of sources) {
      if (target.byteLength > 0)
        driver.call(
          'cuMemcpyDtoHAsync',
          memory.address + at,
          Number(from.address),
          target.byteLength,
          stream,
        );
      at += aligned(target.byteLength);
    }
    driver.call('cuEventRecord', event, stream);
    const before = performance.now();
    await this.#passed(event);
    this.#device.host.waiting += performance.now() - before;
    at = 0;
    for (const { target } of sources) {
      bytesOf(target).set(memory.bytes.subarray(at, at + target.byteLength));
      at += aligned(target.byteLength);
    }
    this.#idle.push(landing);
  }

  /** Other work of the process goes on meanwhile. */
  async #passed(event: number): Promise<void> {
    const { driver } = this.#device;
    for (;;) {
      driver.enter();
      const code = driver.functions.cuEventQuery(event);
      if (code === 0) return;
      if (code !== notReady) throw driver.failed('cuEventQuery', code);
      this.#device.whileWaiting?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #takeLanding(bytes: number): Landing {
    const found = this.#idle.findIndex(({ memory }) => memory.bytes.length >= bytes);
    if (found >= 0) return this.#idle.splice(found, 1)[0];
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(bytes, 4096)));
    return { memory: pinnedMemory(this.#device, capacity), event: this.#device.newEvent({ timing: false }) };
  }
}

const aligned = (bytes: number) => Math.ceil(bytes / alignment) * alignment;
const bytesOf = ({ buffer, byteOffset, byteLength }: HostArray) =>
  new Uint8Array(buffer, byteOffset, byteLength);
