/**
 * A value that a kernel computed: a number where kernels work in host memory, and a tensor that is still on the device where
 * they work on one. Kernels accept both, so that a training step never has to wait for the device in its middle;
 * only metrics are read back.
 */
import type { Scalar, Tensor, Tensor1D } from '../tensor/tf.ts';
import { tf } from '../tensor/tf.ts';

export type Computed = number | Scalar;
export type ComputedVector<Values> = Values | Tensor1D;

/** The value as a number. Waits for the device if it is still there. */
export function hostNumber(value: Computed): number {
  return typeof value === 'number' ? value : value.dataSync()[0];
}

/** A function of a computed value, without waiting for the device: `ofNumber` and `ofScalar` are the same function of a number and of a tensor. */
export function derived(
  value: Computed,
  ofNumber: (value: number) => number,
  ofScalar: (value: Scalar) => Scalar,
): Computed {
  return typeof value === 'number' ? ofNumber(value) : tf.tidy(() => ofScalar(value));
}

/** Something that can fetch values from its device. */
export interface ReadsBack {
  /**
   * Fetches the values of all tensors together. The fetch is already queued when this returns, so that later work on the
   * device doesn't delay it. Backends whose tensors are in host memory leave it out.
   */
  readBack?(tensors: readonly Tensor[]): Promise<ArrayLike<number>[]>;
}

type Readable = Computed | ComputedVector<Float32Array | Int32Array>;

export function disposeComputed(...values: readonly Readable[]): void {
  for (const value of values) if (value instanceof tf.Tensor) value.dispose();
}

/** Reads several values back at once (see `ReadsBack`). A number comes back as a list of one. */
export async function readBack(
  kernels: ReadsBack,
  values: readonly Readable[],
): Promise<ArrayLike<number>[]> {
  const tensors = values.filter((value): value is Tensor1D | Scalar => value instanceof tf.Tensor);
  const read = tensors.length === 0 ? [] : await fetched(kernels, tensors);
  return values.map((value) => {
    if (typeof value === 'number') return [value];
    return value instanceof tf.Tensor ? read[tensors.indexOf(value)] : value;
  });
}

function fetched(kernels: ReadsBack, tensors: readonly Tensor[]): Promise<ArrayLike<number>[]> {
  return kernels.readBack?.(tensors) ?? Promise.all(tensors.map((tensor) => tensor.data()));
}
