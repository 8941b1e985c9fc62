/**
 * Buffers of disposed tensors, kept for the next tensor of the same type and size: a training step makes the
 * same tensors again and again, and fresh memory costs a page fault every 4 KB.
 */
export type Values = Float32Array | Int32Array | Uint8Array;
export type ValueType = 'float32' | 'int32' | 'bool';

export class BufferPool {
  readonly #limit: number;
  #bytes = 0;
  /** By type and length. Least recently used first, as a Map keeps the order of insertion. */
  readonly #free = new Map<string, Values[]>();

  /** @param limit bytes kept at most */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** A buffer with undefined contents. */
  take(type: ValueType, length: number): Values {
    const key = `${type}${length}`;
    const kept = this.#free.get(key)?.pop();
    if (!kept) return allocate(type, length);
    this.#bytes -= kept.byteLength;
    return kept;
  }

  /** The caller promises that nothing else refers to it. */
  give(type: ValueType, values: Values): void {
    if (values.byteLength > this.#limit) return;
    const key = `${type}${values.length}`;
    const list = this.#free.get(key) ?? [];
    list.push(values);
    this.#bytes += values.byteLength;
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

function allocate(type: ValueType, length: number): Values {
  if (type === 'bool') return new Uint8Array(length);
  // Node's unpooled buffers are not zeroed first.
  const { buffer } = Buffer.allocUnsafeSlow(length * 4);
  return type === 'int32' ? new Int32Array(buffer, 0, length) : new Float32Array(buffer, 0, length);
}
