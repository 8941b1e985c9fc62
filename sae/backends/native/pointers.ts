/** Typed arrays as arguments of C functions. */

/** What the tensors of the native backend are made of: float32, int32 and bool. */
export type Values = Float32Array | Int32Array | Uint8Array;

declare const mayBeWritten: unique symbol;

/**
 * Memory that a C function may write to. A pointer that isn't to const takes nothing else, so that an input and an
 * output that have changed places are an error of types. Every array that `NativeBackend.output` makes is one.
 */
export type Writable<T> = T & { readonly [mayBeWritten]: true };

/** The caller means this array to be written to. */
export function writable<T extends Values>(values: T): Writable<T> {
  return values as Writable<T>;
}
