/**
 * Memory of the device, kept for the next tensor that needs as much: a training step makes the same tensors again and
 * again, and the driver takes tens of microseconds for an allocation, and waits for all work when memory is freed.
 *
 * Memory that is given back may be taken at once, even while kernels that use it wait to run, because everything runs in
 * order on one stream.
 */
import type { Device } from './device.ts';
import { outOfDeviceMemory, outOfMemory } from './driverErrors.ts';
import { NotCapturable } from './notCapturable.ts';
import type { GraphMemory } from './graphMemory.ts';

export interface DeviceBuffer {
  readonly address: bigint;
  /** As many as were asked for; there may be more behind them. */
  readonly bytes: number;
}

/** Every buffer begins at a multiple of this many bytes, which is what the driver promises. */
const alignment = 512;
/** From here on sizes are rounded to this, so that a large matrix wastes little. */
const large = 2 ** 21;

/** Rounds up to one of eight sizes between a power of two and the next; at most 12.5 % more, and 2 MB more at most. */
export function capacityFor(bytes: number): number {
  const wanted = Math.max(bytes, 1);
  const step = Math.min(large, Math.max(alignment, 2 ** Math.floor(Math.log2(wanted) - 3)));
  return Math.ceil(wanted / step) * step;
}

export class DeviceMemory {
  readonly #device: Device;
  /** Free memory by capacity. */
  readonly #free = new Map<number, number[]>();
  /** The capacity of what is in use, by address. */
  readonly #used = new Map<number, number>();
  /** Capacities that a copy on another stream was made into, so that the last use of such memory has to be known. */
  readonly #copied = new Set<number>();
  /** Recorded when memory of those capacities was given back, by address. */
  readonly #lastUses = new Map<number, number>();
  /** What graphs have for themselves. */
  readonly #ofGraphs = new Set<GraphMemory>();
  #capture: GraphMemory | null = null;
  /** Given back while a graph was captured that has no use for it. */
  readonly #later: DeviceBuffer[] = [];
  /** Asked to let go of memory before an allocation fails. */
  readonly shortage = new Set<() => void>();
  #usedBytes = 0;
  #keptBytes = 0;
  #peakBytes = 0;

  constructor(device: Device) {
    this.#device = device;
  }

  /** A buffer with undefined contents. Throws `unavailable`, with what would fit, when the device has no memory for it. */
  take(bytes: number): DeviceBuffer {
    const capacity = this.#capacityFor(bytes);
    const ofGraph = this.#capture?.take(capacity);
    if (ofGraph !== undefined) return { address: BigInt(ofGraph), bytes };
    const kept = this.#free.get(capacity)?.pop();
    if (kept !== undefined) this.#keptBytes -= capacity;
    const address = kept ?? this.#allocate(capacity);
    this.#used.set(address, capacity);
    this.#usedBytes += capacity;
    this.#peakBytes = Math.max(this.#peakBytes, this.#usedBytes);
    this.#capture?.add(address, capacity);
    return { address: BigInt(address), bytes };
  }

  /** While `run` captures a graph, memory is taken from `memory`, which grows as it has to. */
  capture<T>(memory: GraphMemory, run: () => T): T {
    this.#ofGraphs.add(memory);
    this.#capture = memory;
    try {
      return run();
    } finally {
      this.#capture = null;
      for (const buffer of this.#later.splice(0)) this.give(buffer);
    }
  }

  /** The graphs that used it are gone. */
  giveAll(memory: GraphMemory): void {
    this.#ofGraphs.delete(memory);
    for (const address of memory.clear()) this.give({ address: BigInt(address), bytes: 0 });
  }

  /**
   * A buffer for a copy that doesn't run on the compute stream. That copy has to wait for `lastUse`, an event behind the last
   * kernel that may use the memory; null where none does.
   */
  takeForCopy(bytes: number): { buffer: DeviceBuffer; lastUse: number | null } {
    if (this.#capture) throw new NotCapturable('it sent a large tensor to the device');
    const capacity = this.#capacityFor(bytes);
    this.#copied.add(capacity);
    const reused = (this.#free.get(capacity)?.length ?? 0) > 0;
    const buffer = this.take(bytes);
    if (!reused) return { buffer, lastUse: null };
    const address = Number(buffer.address);
    return { buffer, lastUse: this.#lastUses.get(address) ?? this.#recordUse(address) };
  }

  /** Gives a buffer of `take` back. */
  give(buffer: DeviceBuffer): void {
    const address = Number(buffer.address);
    for (const memory of this.#ofGraphs)
      if (memory.has(address)) {
        // Part of what is captured, so that every launch does it.
        if (this.#capture && this.#device.architecture.software)
          this.#overwrite(address, memory.capacityOf(address));
        memory.give(address);
        return;
      }
    if (this.#capture) {
      this.#later.push(buffer);
      return;
    }
    const capacity = this.#used.get(address);
    if (capacity === undefined)
      throw new Error(`Device memory at 0x${address.toString(16)} is not in use: it was given back twice.`);
    this.#used.delete(address);
    this.#usedBytes -= capacity;
    this.#keptBytes += capacity;
    if (this.#device.architecture.software) this.#overwrite(address, capacity);
    if (this.#copied.has(capacity)) this.#recordUse(address);
    const list = this.#free.get(capacity);
    if (list) list.push(address);
    else this.#free.set(capacity, [address]);
  }

  /** Gives everything that is kept for reuse back to the driver. */
  release(): void {
    const { driver } = this.#device;
    for (const addresses of this.#free.values())
      for (const address of addresses) {
        driver.call('cuMemFree', address);
        const event = this.#lastUses.get(address);
        if (event !== undefined) driver.call('cuEventDestroy', event);
        this.#lastUses.delete(address);
      }
    this.#free.clear();
    this.#keptBytes = 0;
  }

  /** Bytes in use, kept for reuse, and the most that were in use at once. */
  get bytes(): { used: number; kept: number; peak: number } {
    return { used: this.#usedBytes, kept: this.#keptBytes, peak: this.#peakBytes };
  }

  /** Where accesses past the end are looked for, there is nothing behind the end. */
  #capacityFor(bytes: number): number {
    return this.#device.exactMemory ? Math.max(bytes, 1) : capacityFor(bytes);
  }

  /** With numbers that are none: whoever reads them before writing shall notice. */
  #overwrite(address: number, capacity: number): void {
    const words = Math.floor(capacity / 4);
    if (words > 0)
      this.#device.driver.call('cuMemsetD32Async', address, 0xffffffff, words, this.#device.stream);
  }

  #recordUse(address: number): number {
    const event = this.#lastUses.get(address) ?? this.#device.newEvent({ timing: false });
    this.#device.driver.call('cuEventRecord', event, this.#device.stream);
    this.#lastUses.set(address, event);
    return event;
  }

  #allocate(capacity: number): number {
    const { driver, name } = this.#device;
    driver.enter();
    for (const last of [false, true]) {
      const place = [0];
      const code = driver.functions.cuMemAlloc(place, capacity);
      if (code === 0) return Number(place[0]);
      if (code !== outOfMemory) throw driver.failed(`cuMemAlloc of ${capacity} bytes`, code);
      if (this.#capture) throw new NotCapturable('the device has no memory for a recording of it');
      if (last) break;
      for (const letGo of this.shortage) letGo();
      this.release();
    }
    const [free, total] = [[0], [0]];
    driver.call('cuMemGetInfo', free, total);
    throw outOfDeviceMemory(
      { wanted: capacity, inUse: this.#usedBytes, free: Number(free[0]), total: Number(total[0]) },
      name,
    );
  }
}
