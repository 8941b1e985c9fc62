/** Launches of the fused kernels, and tensors for their results. */
import type { Computed } from '../../../ops/computed.ts';
import { tf, type Tensor, type Tf } from '../../../tensor/tf.ts';
import type { StoredType } from '../../kernelInputs.ts';
import type { CudaBackend } from '../cudaBackend.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import { NotCapturable } from '../notCapturable.ts';
import type { Argument, KernelRequest } from '../programs.ts';
import { type RowLayout, rowLayout } from './rowLayout.ts';

export interface Made<T extends Tensor> {
  readonly tensor: T;
  readonly buffer: DeviceBuffer;
}

/** Where a part of a buffer begins, `bytes` behind its start. */
export const partOf = ({ address }: DeviceBuffer, bytes: number): bigint => address + BigInt(bytes);

export class FusedPrograms {
  readonly backend: CudaBackend;
  readonly #constants = new Map<string, DeviceBuffer>();
  /** Requests by name and variant: the backend finds a kernel faster by an object that it knows. */
  readonly #requests = new Map<string, KernelRequest>();

  constructor(backend: CudaBackend) {
    this.backend = backend;
  }

  /** Runs a kernel that is the same for all sizes. */
  run(
    file: string,
    name: string,
    [blocks, threads]: readonly [number, number],
    args: readonly Argument[],
  ): void {
    const request = this.#request(name, () => ({ file, name }));
    this.backend.programs.run(request, { grid: blocks, block: threads }, args);
  }

  /** Runs a kernel that is compiled for rows of d numbers; `sharedRows` of them are in dynamic shared memory, and `moreShared` bytes. */
  runRows(
    kernel: { file: string; name: string; define?: Readonly<Record<string, number>> },
    d: number,
    launch: { blocks: number; sharedRows?: number; moreShared?: number; threads?: number },
    args: readonly Argument[],
  ): void {
    const { file, name, define } = kernel;
    const layout: RowLayout = rowLayout(d);
    const variant = define ? Object.values(define).join() : '';
    const request = this.#request(`${name} ${d} ${variant}`, () => ({
      file,
      name,
      define: { ...layout.define, ...define },
    }));
    const sharedBytes = 4 * d * (launch.sharedRows ?? 0) + (launch.moreShared ?? 0);
    const block = launch.threads ?? layout.threads;
    this.backend.programs.run(request, { grid: launch.blocks, block, sharedBytes }, args);
  }

  /** A tensor with undefined contents. */
  output<T extends Tensor>(shape: number[], type: StoredType): Made<T> {
    const { info, buffer } = this.backend.output(shape, type);
    return { tensor: tf.engine().makeTensorFromTensorInfo(info) as T, buffer };
  }

  /** The memory of a tensor, or null where there is none. */
  maybe(tensor: Tf.TensorInfo | null | undefined): DeviceBuffer | null {
    return tensor ? this.backend.buffer(tensor) : null;
  }

  /** A number as two arguments: where it is on the device, and its value where it is at hand. */
  number(value: Computed): [DeviceBuffer | null, number] {
    return typeof value === 'number' ? [null, value] : [this.backend.buffer(value), 0];
  }

  /** A short list that is asked for again and again. */
  constant(values: Int32Array): DeviceBuffer {
    const key = values.join();
    let buffer = this.#constants.get(key);
    if (!buffer) {
      if (this.backend.recording) throw new NotCapturable('it sent a list to the device');
      buffer = this.backend.transfers.uploaded(values);
      this.#constants.set(key, buffer);
    }
    return buffer;
  }

  /** Memory for as long as `use` runs. */
  scratch<T>(bytes: number, use: (buffer: DeviceBuffer) => T): T {
    const buffer = this.backend.scratch(bytes);
    try {
      return use(buffer);
    } finally {
      this.backend.give(buffer);
    }
  }

  #request(key: string, make: () => KernelRequest): KernelRequest {
    let request = this.#requests.get(key);
    if (!request) {
      request = make();
      this.#requests.set(key, request);
    }
    return request;
  }
}
