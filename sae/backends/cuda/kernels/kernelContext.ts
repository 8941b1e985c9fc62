import type { Tf } from '../../../tensor/tf.ts';
import type { Attributes, Inputs } from '../../kernelInputs.ts';
import type { CudaBackend } from '../cudaBackend.ts';
import type { Launch } from '../programs.ts';

/** What a kernel works with. The backend is the one the kernel is registered for. */
export interface KernelContext {
  backend: CudaBackend;
  /** TF.js's own kernel of that name, which computes on the host, for the cases that ours do not cover. */
  fallback(name: string): HostKernel;
}
export type HostKernel = (inputs: Inputs, attributes: Attributes) => Tf.TensorInfo | Tf.TensorInfo[];

/** A kernel as these files write it: without the casts TF.js's own signature asks of each. */
export type CudaKernel = HostKernel;
export type CudaKernels = Record<string, CudaKernel>;

const threads = 256;

/** Threads that share `count` elements among them, each taking every so many. */
export function across(backend: CudaBackend, count: number): Launch {
  const blocks = Math.min(Math.ceil(count / threads), 32 * backend.programs.architecture.multiprocessors);
  return { grid: blocks, block: threads };
}

/** One thread for each of `count`. */
export function oneEach(count: number): Launch {
  return { grid: Math.ceil(count / threads), block: threads };
}

/** One block for each of `rows` rows of n elements, of as many whole warps as keep each thread busy with a few. */
export function blockPerRow(rows: number, n: number, most = 512): Launch {
  const warps = Math.ceil(n / 4 / 32);
  return {
    grid: rows,
    block: Math.min(most, Math.max(1, 2 ** Math.floor(Math.log2(Math.max(1, warps)))) * 32),
  };
}

/** The bits of a value in memory, as the driver's fills take them. */
export function wordOf(value: number, dtype: 'float32' | 'int32'): number {
  if (dtype === 'int32') return value >>> 0;
  return new Uint32Array(Float32Array.of(value).buffer)[0];
}
