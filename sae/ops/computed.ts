/**
 * What a kernel computed, for whoever needs it next: at hand where kernels work in host memory, still a tensor where
 * they work on a device. Kernels accept both, so that a training step never has to wait for the device in its middle;
 * only metrics are read back.
 */
import type { Scalar, Tensor, Tensor1D } from '../tensor/tf.ts';
import { tf } from '../tensor/tf.ts';

export type Computed = number | Scalar;
export type ComputedVector<Values> = Values | Tensor1D;

/** The number itself. Waits for the device where it isn't at hand. */
export function hostNumber(value: Computed): number {
  return typeof value === 'number' ? value : value.dataSync()[0];
}

/** A number made of another one, without waiting for it: `ofNumber` and `ofScalar` are the same function. */
export function derived(
  value: Computed,
  ofNumber: (value: number) => number,
  ofScalar: (value: Scalar) => Scalar,
): Computed {
  return typeof value === 'number' ? ofNumber(value) : tf.tidy(() => ofScalar(value));
}

/** How to fetch what a device has computed. */
export interface ReadsBack {
  /**
   * What the tensors hold, fetched together; the fetch is on its way when this returns, so that what is asked of the
   * device next doesn't delay it. Left out by backends whose tensors lie in host memory.
   */
  readBack?(tensors: readonly Tensor[]): Promise<ArrayLike<number>[]>;
}

type Readable = Computed | ComputedVector<Float32Array | Int32Array>;

export function disposeComputed(...values: readonly Readable[]): void {
  for (const value of values) if (value instanceof tf.Tensor) value.dispose();
}

/** Reads back several at once; see `ReadsBack`. Numbers come as lists of one. */
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
