/**
 * Float32 tensors whose numbers stay in the format of their file: half precision, bfloat16 or GGUF's quantised blocks. They
 * are read when they are first used, and widened where they are used, so a model takes the memory of its file. A backend
 * that can do so registers itself; on the others tensors are widened at once.
 */
import { dequantize } from '../formats/gguf/dequantize.ts';
import { tf, type Tensor } from '../tensor/tf.ts';

/** The order is that of `Format` in sae/backends/native/source/storedWeights.cc. */
export const storedFormats = [
  'F32',
  'F16',
  'BF16',
  'Q4_0',
  'Q4_1',
  'Q5_0',
  'Q5_1',
  'Q8_0',
  'Q2_K',
  'Q3_K',
  'Q4_K',
  'Q5_K',
  'Q6_K',
] as const;
export type StoredFormat = (typeof storedFormats)[number];

export interface StoredValues {
  format: StoredFormat;
  /** Row-major, rows whole blocks; called once, when the tensor is first used. */
  read(): Uint8Array<ArrayBuffer>;
}

type StoredTensorMaker = (shape: readonly number[], values: StoredValues) => Tensor;

const makers = new Map<string, StoredTensorMaker>();

export function registerStoredTensors(backend: string, maker: StoredTensorMaker): void {
  makers.set(backend, maker);
}

/** A float32 tensor of the active backend; the caller's to dispose. */
export function storedTensor(shape: readonly number[], values: StoredValues): Tensor {
  const maker = makers.get(tf.getBackend());
  return maker ? maker(shape, values) : tf.tensor(widened(shape, values), [...shape], 'float32');
}

function widened(shape: readonly number[], { format, read }: StoredValues): Float32Array {
  const out = new Float32Array(shape.reduce((product, n) => product * n, 1));
  dequantize(format, read(), out);
  return out;
}
