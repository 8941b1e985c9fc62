/** What TF.js hands to a kernel, as the backends with kernels of their own read it. */
import type { Tf } from '../tensor/tf.ts';

/** A kernel's input tensors by name. Only _FusedMatMul's bias may be missing. */
export type Inputs = Record<string, Tf.TensorInfo>;
export type Attributes = Tf.NamedAttrMap;

/** The types of elements that have kernels; strings and complex numbers are TF.js's own. */
export type StoredType = 'float32' | 'int32' | 'bool';
export function isStored(dtype: string): dtype is StoredType {
  return dtype === 'float32' || dtype === 'int32' || dtype === 'bool';
}

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
