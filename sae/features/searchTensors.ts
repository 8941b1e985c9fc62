/** What search reads of a file of tensors, wherever the file lies. */
export interface SearchTensors {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** An integer tensor that was stored as I32. */
  int32(name: string): Int32Array;
}
