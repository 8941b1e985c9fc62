/** The class of TF.js's WebGPU backend, as far as it is used here. */
import { createRequire } from 'node:module';
import { LazyscopeError } from '../../errors.ts';
import type { Tf } from '../../tensor/tf.ts';
import type { BufferPool } from './bufferPool.ts';
import type { TfjsProgram, TfjsUniform, TfjsUniforms } from './tfjsDispatches.ts';

const require = createRequire(import.meta.url);

export type DataId = Tf.TensorInfo['dataId'];
export type HostValues = Float32Array | Int32Array | Uint8Array;

export interface TensorData {
  dtype: string;
  shape: number[];
  /** Values on the host, until a kernel needs them on the device. */
  values: HostValues | null;
  resource?: GPUBuffer | null;
}

/** The members of TF.js's class that are used here: those of version 4.22, which the lock file pins. */
export interface TfjsWebGpuBackend extends Tf.KernelBackend {
  device: GPUDevice;
  queue: GPUQueue;
  bufferManager: BufferPool;
  tensorMap: { get(dataId: DataId): TensorData };
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  commandQueueOwnedIds: WeakSet<DataId>;
  uniformPendingDisposal: GPUBuffer[];
  dispatchCountInPass: number;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  shouldExecuteOnCPU(inputs: readonly Tf.TensorInfo[], sizeThreshold?: number): boolean;
  recordAndSubmit(program: TfjsProgram, ...rest: unknown[]): void;
  makeTensorInfo(shape: number[], dtype: 'float32' | 'int32'): Tf.TensorInfo;
  makeUniforms(values: readonly TfjsUniform[]): TfjsUniforms;
  submitQueue(): void;
  uploadToGPU(dataId: DataId): void;
}

type TfjsClass = new (device: GPUDevice, info: GPUAdapterInfo) => TfjsWebGpuBackend;

/** Loads TF.js's package, which registers its kernels, and returns its class. */
export function tfjsClass(): TfjsClass {
  const name = '@tensorflow/tfjs-backend-webgpu';
  try {
    const { WebGPUBackend } = require(name) as { WebGPUBackend: TfjsClass };
    return WebGPUBackend;
  } catch (cause) {
    throw new LazyscopeError(
      'unavailable',
      `Backend webgpu needs the npm package ${name}, which is optional and not installed: run npm install ${name}.`,
      { cause },
    );
  }
}
