import type { StoredFormat } from '../ops/storedTensor.ts';

/**
 * Where a model's weights are: a file of named tensors, in whatever format, read when they are asked for. Names are those
 * that Hugging Face's `save_pretrained` gives.
 */
export interface WeightSource {
  /** For error messages. */
  readonly path: string;
  readonly names: readonly string[];
  /** Row-major. */
  shape(name: string): number[];
  /** Of the numbers as stored: F32, BF16, Q4_K … */
  dtype(name: string): string;
  /** The values, row-major, read and widened now. Throws `bad_input` for a type that can't be read, `corrupt` when the file ends early. */
  float32(name: string): Float32Array;
  /**
   * The bytes of the values as they are stored, row-major; undefined where they lie in another order than the weight's, or in
   * a format that only `float32` reads. Throws as that.
   */
  stored?(name: string): { format: StoredFormat; read(): Uint8Array<ArrayBuffer> } | undefined;
}
