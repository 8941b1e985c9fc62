import type { Tf } from '../../../tensor/tf.ts';
import type { NativeLibrary } from '../library.ts';
import type { NativeBackend } from '../nativeBackend.ts';

/** What a kernel works with. The backend is the one the kernel is registered for. */
export interface KernelContext {
  backend: NativeBackend;
  library: NativeLibrary;
  /** TF.js's own kernel of that name, for the cases C++ does not cover. */
  fallback(name: string): Tf.KernelFunc;
}

/** A kernel's input tensors by name. Only _FusedMatMul's bias may be missing. */
export type Inputs = Record<string, Tf.TensorInfo>;
export type Attributes = Tf.NamedAttrMap;

/** A kernel as these files write it: without the casts TF.js's own signature asks of each. */
export type NativeKernel = (inputs: Inputs, attributes: Attributes) => Tf.TensorInfo | Tf.TensorInfo[];
export type NativeKernels = Record<string, NativeKernel>;

export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const n of shape) size *= n;
  return size;
}

/** The numbers that an attribute holds, one or a list; TF.js types attributes as unknown. */
export function numbers(attribute: unknown): number[] {
  if (typeof attribute === 'number') return [attribute];
  return Array.isArray(attribute) ? attribute.map(Number) : [];
}
