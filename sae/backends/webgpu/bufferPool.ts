/**
 * Buffers of disposed tensors, kept for the next tensor of the same size and usage. TF.js's own pool never gives
 * memory back, and a run whose lists differ in length at every step would fill the GPU with buffers of every length.
 */
import { LazyscopeError } from '../../errors.ts';
import { type DeviceFaults, megabytes } from './deviceFaults.ts';

/** Submissions, some dozen a training step, whose demand for memory is expected again. */
const remembered = 64;

interface Made {
  readonly number: number;
  readonly size: number;
  readonly kind: string;
}

export class BufferPool {
  readonly #device: GPUDevice;
  readonly #faults: DeviceFaults;
  readonly #name: string;
  /**
   * Free buffers by size and usage, the least recently used kind first, since a Map keeps the order of insertion. Of a kind the one made first comes last, and is given out
   * first, so that steps that need the same get the same.
   */
  readonly #free = new Map<string, GPUBuffer[]>();
  /** What was made here. Each read of a buffer's property is a call into Dawn. */
  readonly #made = new WeakMap<GPUBuffer, Made>();
  #count = 0;
  #freeBytes = 0;
  numBytesUsed = 0;
  /** Most bytes that one tensor may take: a kernel accesses it through a single binding, whose size is limited. */
  readonly largest: number;
  /** The most bytes used since each of the last submissions but one, the latest last. What is set aside doesn't count. */
  readonly #peaks: number[] = [0];
  /** Made by `setAside`, and their bytes. */
  readonly #aside = new Set<GPUBuffer>();
  numBytesAside = 0;
  readonly #settle: () => void;
  /** Asked to let go of memory before an allocation fails. */
  readonly shortage = new Set<() => void>();

  /** `name` is that of the adapter, for messages; `settle` submits what is recorded and waits until the device has done it. */
  constructor(device: GPUDevice, faults: DeviceFaults, name: string, settle: () => void) {
    this.#device = device;
    this.#faults = faults;
    this.#name = name;
    const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
    this.largest = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    this.#settle = settle;
  }

  /** The number of a buffer that was made here; none has that of another. */
  numberOf(buffer: GPUBuffer): number {
    return this.#madeAs(buffer).number;
  }

  #madeAs(buffer: GPUBuffer): Made {
    const made = this.#made.get(buffer);
    if (!made) throw new TypeError('A buffer that the pool has not made.');
    return made;
  }

  get numBytesAllocated(): number {
    return this.numBytesUsed + this.#freeBytes;
  }

  /** Throws `unavailable` when the device has no buffers of that size, or is known to be lost or out of memory. */
  acquireBuffer(size: number, usage: number, mappedAtCreation = false, reuse = true): GPUBuffer {
    // An empty tensor is bound like any other, and a binding must not be empty.
    if (size === 0) return this.acquireBuffer(4, usage, mappedAtCreation, reuse);
    this.#faults.check();
    if (size > this.largest) throw this.#tooLarge(size);
    const kept = reuse ? this.#free.get(keyOf(size, usage))?.pop() : undefined;
    if (kept) this.#freeBytes -= size;
    const buffer = kept ?? this.#make({ size, usage, mappedAtCreation });
    if ('shortage' in buffer)
      throw this.#faults.outOfMemory(buffer.shortage, { bytes: size, inUse: this.numBytesAllocated });
    this.numBytesUsed += size;
    const latest = this.#peaks.length - 1;
    this.#peaks[latest] = Math.max(this.#peaks[latest], this.#usedByTensors);
    return buffer;
  }

  /**
   * A buffer for what the device can do without, which is destroyed when it is released. Throws `unavailable` where there is no memory for it; the device
   * is then as it was.
   */
  setAside(size: number, usage: number): GPUBuffer {
    this.#faults.check();
    if (size > this.largest) throw this.#tooLarge(size);
    const buffer = this.#make({ size, usage });
    if ('shortage' in buffer)
      throw new LazyscopeError(
        'unavailable',
        `The GPU (${this.#name}) has no memory for ${megabytes(size)} MB of rows: keep fewer of them there.`,
        { cause: buffer.shortage },
      );
    this.#aside.add(buffer);
    this.numBytesAside += size;
    this.numBytesUsed += size;
    return buffer;
  }

  get #usedByTensors(): number {
    return this.numBytesUsed - this.numBytesAside;
  }

  /** Where there is no memory for it, everything that can be let go of is, and the device is asked once more. */
  #make(descriptor: GPUBufferDescriptor): GPUBuffer | { shortage: unknown } {
    const make = () => this.#device.createBuffer(descriptor);
    const made = this.#faults.attempt(make);
    if ('buffer' in made) return this.#counted(made.buffer, descriptor);
    // Recorded commands may refer to free buffers, and memory is free only when the device has done its work.
    this.#settle();
    for (const letGo of this.shortage) letGo();
    this.dispose();
    this.#settle();
    const again = this.#faults.attempt(make);
    return 'buffer' in again ? this.#counted(again.buffer, descriptor) : again;
  }

  #counted(buffer: GPUBuffer, { size, usage }: GPUBufferDescriptor): GPUBuffer {
    this.#made.set(buffer, { number: ++this.#count, size, kind: keyOf(size, usage) });
    return buffer;
  }

  #tooLarge(size: number): LazyscopeError {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    const limit =
      maxBufferSize < maxStorageBufferBindingSize ? 'maxBufferSize' : 'maxStorageBufferBindingSize';
    return new LazyscopeError(
      'unavailable',
      `A tensor of ${megabytes(size)} MB exceeds the ${megabytes(this.largest)} MB (${limit}) that the GPU (${this.#name}) gives a kernel at once: use a smaller batch, a narrower dictionary, or another backend.`,
    );
  }

  releaseBuffer(buffer: GPUBuffer, reuse = true): void {
    const { number, size, kind } = this.#madeAs(buffer);
    this.numBytesUsed -= size;
    const isAside = this.#aside.delete(buffer);
    if (isAside) this.numBytesAside -= size;
    if (!reuse || isAside) {
      buffer.destroy();
      return;
    }
    const list = this.#free.get(kind) ?? [];
    let at = list.length;
    while (at > 0 && this.#madeAs(list[at - 1]).number < number) at--;
    list.splice(at, 0, buffer);
    this.#freeBytes += size;
    this.#free.delete(kind);
    this.#free.set(kind, list);
  }

  /** Destroys the buffers unused for longest. To be called only when no recorded command can refer to a free buffer. */
  trim(): void {
    // What a step needed at its height it needs again in the next one, although little is in use between the two.
    const limit = Math.max(256 * 2 ** 20, 2 * Math.max(...this.#peaks) - this.#usedByTensors);
    this.#peaks.push(this.#usedByTensors);
    if (this.#peaks.length > remembered) this.#peaks.shift();
    for (const [key, buffers] of this.#free) {
      if (this.#freeBytes <= limit) return;
      for (let drop = buffers.pop(); drop; drop = buffers.pop()) {
        this.#freeBytes -= this.#madeAs(drop).size;
        drop.destroy();
      }
      this.#free.delete(key);
    }
  }

  /** Destroys all free buffers. Those of living tensors are theirs to dispose. */
  dispose(): void {
    for (const buffers of this.#free.values()) for (const buffer of buffers) buffer.destroy();
    this.#free.clear();
    this.#freeBytes = 0;
  }
}

const keyOf = (size: number, usage: number) => `${size} ${usage}`;
