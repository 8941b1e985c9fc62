/**
 * Buffers of disposed tensors, kept for the next tensor that needs as much: a training step makes the same
 * tensors again and again, and fresh memory costs a page fault every 4 KB.
 *
 * They begin at a cache line, where Node's own begin anywhere: a piece of a product's result then is one line of each
 * row instead of parts of two (measured: products of 768 deep run 6 % faster).
 */
import koffi from 'koffi';
import type { Values } from './pointers.ts';

export type ValueType = 'float32' | 'int32' | 'bool';

/** Bytes of a cache line. */
const cacheLine = 64;

export class BufferPool {
  readonly #limit: number;
  #bytes = 0;
  /** Free buffers by type and capacity. Least recently used first, as a Map keeps the order of insertion. */
  readonly #free = new Map<string, Values[]>();

  /** @param limit bytes kept at most */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * A buffer with undefined contents. `roomy` is for tensors whose length is another each time, as lists of what fires
   * are: up to an eighth more is set aside, so that the next one finds a buffer that fits; as many lengths as steps
   * would otherwise each keep one of their own.
   */
  take(type: ValueType, length: number, roomy = false): Values {
    const capacity = roomy ? roomyCapacity(length) : length;
    const kept = this.#free.get(`${type}${capacity}`)?.pop();
    if (kept) this.#bytes -= kept.byteLength;
    const values = kept ?? allocate(type, capacity);
    return length === capacity ? values : values.subarray(0, length);
  }

  /** The caller promises that nothing else refers to it. */
  give(type: ValueType, values: Values): void {
    const whole = entire(type, values.buffer);
    if (whole.byteLength > this.#limit) return;
    const key = `${type}${whole.length}`;
    const list = this.#free.get(key) ?? [];
    list.push(whole);
    this.#bytes += whole.byteLength;
    this.#free.delete(key);
    this.#free.set(key, list);
    for (const [oldest, buffers] of this.#free) {
      if (this.#bytes <= this.#limit) break;
      for (let drop = buffers.pop(); drop && this.#bytes > this.#limit; drop = buffers.pop())
        this.#bytes -= drop.byteLength;
      if (buffers.length === 0) this.#free.delete(oldest);
    }
  }

  /** Bytes kept for reuse. */
  get bytes(): number {
    return this.#bytes;
  }
}

/** Rounds up to one of eight sizes between a power of two and the next. */
function roomyCapacity(length: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(length, 1))) - 3);
  return Math.ceil(length / step) * step;
}

function allocate(type: ValueType, length: number): Values {
  if (type === 'bool') return new Uint8Array(length);
  // Node's unpooled buffers are not zeroed first.
  return entire(type, Buffer.allocUnsafeSlow(length * 4 + cacheLine).buffer);
}

/** The whole typed array that `allocate` made on this buffer. */
function entire(type: ValueType, buffer: ArrayBufferLike): Values {
  if (type === 'bool') return new Uint8Array(buffer);
  const past = Number(koffi.address(buffer) % BigInt(cacheLine));
  const from = past === 0 ? 0 : cacheLine - past;
  const length = (buffer.byteLength - cacheLine) / 4;
  return type === 'int32' ? new Int32Array(buffer, from, length) : new Float32Array(buffer, from, length);
}
