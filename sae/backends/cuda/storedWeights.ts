/** Numbers of a tensor in the format of their file, on the device; see sae/ops/storedTensor.ts. */
import { storedFormats, type StoredFormat, type StoredValues } from '../../ops/storedTensor.ts';
import { tf, type Tensor } from '../../tensor/tf.ts';
import type { CudaBackend } from './cudaBackend.ts';
import type { DeviceBuffer } from './deviceMemory.ts';
import type { KernelRequest } from './programs.ts';
import type { StoredNumbers } from './storedNumbers.ts';

const widenRows: KernelRequest = { file: 'storedWeights.cu', name: 'widenRows' };
const threads = 256;

/** Values and bytes of a block. */
const blocks: Readonly<Record<StoredFormat, readonly [values: number, bytes: number]>> = {
  F32: [1, 4],
  F16: [1, 2],
  BF16: [1, 2],
  Q4_0: [32, 18],
  Q4_1: [32, 20],
  Q5_0: [32, 22],
  Q5_1: [32, 24],
  Q8_0: [32, 34],
  Q2_K: [256, 84],
  Q3_K: [256, 110],
  Q4_K: [256, 144],
  Q5_K: [256, 176],
  Q6_K: [256, 210],
};

/** A matrix [rows, width] in its file's format. It is read from the file, and sent to the device, when it is first used. */
export class StoredWeights implements StoredNumbers {
  readonly rows: number;
  readonly width: number;
  readonly #backend: CudaBackend;
  readonly #values: StoredValues;
  #bytes: DeviceBuffer | null = null;

  constructor(backend: CudaBackend, shape: readonly number[], values: StoredValues) {
    this.#backend = backend;
    this.#values = values;
    this.width = shape.at(-1) ?? 1;
    this.rows = this.width === 0 ? 0 : shape.reduce((product, n) => product * n, 1) / this.width;
  }

  widen(to: DeviceBuffer, first: number, count: number): void {
    this.#run(to, null, first, count);
  }

  gather(to: DeviceBuffer, index: DeviceBuffer, count: number): void {
    this.#run(to, index, 0, count);
  }

  widened(): DeviceBuffer {
    const all = this.#backend.scratch(4 * this.rows * this.width);
    this.widen(all, 0, this.rows);
    return all;
  }

  release(): void {
    if (this.#bytes) this.#backend.give(this.#bytes);
    this.#bytes = null;
  }

  #run(to: DeviceBuffer, index: DeviceBuffer | null, first: number, count: number): void {
    const { rows, width } = this;
    if (count * width === 0) return;
    const { format, read } = this.#values;
    this.#bytes ??= this.#backend.transfers.uploaded(read());
    const [blockValues, blockBytes] = blocks[format];
    const { multiprocessors } = this.#backend.programs.architecture;
    const grid = Math.min(Math.ceil((count * width) / threads), 32 * multiprocessors);
    this.#backend.programs.run(widenRows, { grid, block: threads }, [
      storedFormats.indexOf(format), this.#bytes, index, first, to, count, rows, width, blockValues, blockBytes,
    ]); // prettier-ignore
  }
}

/** What sae/ops/storedTensor.ts asks of a backend. */
export function storedTensors(backend: CudaBackend) {
  return (shape: readonly number[], values: StoredValues): Tensor => {
    const info = backend.storedTensor(shape, new StoredWeights(backend, shape, values));
    return tf.engine().makeTensorFromTensorInfo(info, backend);
  };
}
