import type { Tf } from '../../../tensor/tf.ts';
import type { Attributes, Inputs } from '../../kernelInputs.ts';
import type { NativeLibrary } from '../library.ts';
import type { NativeBackend } from '../nativeBackend.ts';

/** What a kernel works with. The backend is the one the kernel is registered for. */
export interface KernelContext {
  backend: NativeBackend;
  library: NativeLibrary;
  /** TF.js's own kernel of that name, for the cases C++ does not cover. */
  fallback(name: string): Tf.KernelFunc;
}

/** A kernel as these files write it: without the casts TF.js's own signature asks of each. */
export type NativeKernel = (inputs: Inputs, attributes: Attributes) => Tf.TensorInfo | Tf.TensorInfo[];
export type NativeKernels = Record<string, NativeKernel>;
