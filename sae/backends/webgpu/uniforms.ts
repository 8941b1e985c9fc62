/**
 * The uniforms of all programs, in one buffer: a dispatch says where its own begin, so that binding groups do not depend on them. Values that are there already are
 * not written again, and of a training step only those of Adam change from step to step.
 */
import type { DeviceBackend } from './deviceBackend.ts';
import { numberKey } from './numberKey.ts';

/** Fields of 4 bytes each, with their types and values. */
export type UniformValues = Readonly<Record<string, readonly [type: 'u32' | 'f32' | 'i32', value: number]>>;

/** Bytes from one place to the next: what WebGPU guarantees to be allowed. */
const each = 256;
const places = 1024;
/** Bytes that a program sees. */
export const uniformSize = each;

export class Uniforms {
  readonly #backend: DeviceBackend;
  readonly #offsets = Uint32Array.from({ length: places }, (_, place) => place * each);
  #buffer: GPUBuffer | null = null;
  /** Where values are, by their types and values. */
  #known = new Map<string, number>();

  constructor(backend: DeviceBackend) {
    this.#backend = backend;
  }

  get buffer(): GPUBuffer {
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.UNIFORM;
    return (this.#buffer ??= this.#backend.bufferManager.acquireBuffer(places * each, usage));
  }

  /** The place of these values, for a dispatch that is recorded before the next call. It may submit what was recorded. */
  place(values: UniformValues): number {
    const key = keyOf(values);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const bytes = uniformBytes(values);
    if (bytes.byteLength > each)
      throw new RangeError(`A program has ${bytes.byteLength} bytes of uniforms, and may have ${each}.`);
    if (this.#known.size === places) {
      // What is recorded reads the values that are about to be overwritten, and what is submitted comes before the queue's own copies.
      this.#backend.flush();
      this.#known.clear();
    }
    const place = this.#known.size;
    this.#known.set(key, place);
    this.#backend.queue.writeBuffer(this.buffer, place * each, bytes);
    return place;
  }

  /** Sets a group whose last binding is this buffer. */
  bind(pass: GPUComputePassEncoder, group: GPUBindGroup, place: number): void {
    pass.setBindGroup(0, group, this.#offsets, place, 1);
  }
}

function keyOf(values: UniformValues): string {
  let key = '';
  for (const [type, value] of Object.values(values)) key += `${type}${numberKey(value)} `;
  return key;
}

/** Uniforms as they are in memory. */
export function uniformBytes(values: UniformValues): ArrayBuffer {
  const fields = Object.values(values);
  const bytes = new DataView(new ArrayBuffer(Math.max(16, Math.ceil(fields.length / 4) * 16)));
  fields.forEach(([type, value], i) => {
    if (type === 'f32') bytes.setFloat32(i * 4, value, true);
    else if (type === 'i32') bytes.setInt32(i * 4, value, true);
    else bytes.setUint32(i * 4, value, true);
  });
  return bytes.buffer;
}
