/** Rows of activations in memory of the device; see source/rowStore.cu. */
import type { Batch } from '../../../ops/fusedKernels.ts';
import type { RowStore, RowStores, StoredRows } from '../../../ops/rowStore.ts';
import type { Tensor2D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { KernelRequest } from '../programs.ts';
import type { DeviceSums } from './deviceSums.ts';
import type { FusedPrograms } from './fusedPrograms.ts';

const file = 'rowStore.cu';
const threads = 256;
/** Training a large dictionary takes most of a device. */
const ampleShare = 4;
type DType = 'float16' | 'float32';
const bytesOf: Readonly<Record<DType, number>> = { float16: 2, float32: 4 };
const kernelNames = ['storedNorms', 'storeRows', 'widenPlaces', 'copyPlaces'] as const;
type KernelName = (typeof kernelNames)[number];

function requests(dtype: DType): Readonly<Record<KernelName, KernelRequest>> {
  const define = { HALF: dtype === 'float16' ? 1 : 0 };
  const request = (name: KernelName): KernelRequest => ({ file, name, define });
  return {
    storedNorms: request('storedNorms'),
    storeRows: request('storeRows'),
    widenPlaces: request('widenPlaces'),
    copyPlaces: request('copyPlaces'),
  };
}
const kernels = { float16: requests('float16'), float32: requests('float32') };

class CudaRowStore implements RowStore {
  readonly #programs: FusedPrograms;
  readonly #d: number;
  readonly #dtype: DType;
  readonly #memory: DeviceBuffer;
  readonly #letGo: () => void;
  /** Whether rows are being read, so that the store may not go. */
  #busy = false;

  constructor(
    programs: FusedPrograms,
    [rows, d]: readonly [number, number],
    dtype: DType,
    lost?: () => void,
  ) {
    this.#programs = programs;
    this.#d = d;
    this.#dtype = dtype;
    const { memoryPool } = programs.backend;
    this.#memory = programs.backend.scratch(rows * d * bytesOf[dtype]);
    this.#letGo = () => {
      if (this.#busy) return;
      this.dispose();
      lost?.();
    };
    if (lost) memoryPool.shortage.add(this.#letGo);
  }

  async norms(activations: Tensor2D): Promise<Float32Array> {
    const [rows] = activations.shape;
    const { backend } = this.#programs;
    const norms = this.#programs.output([rows], 'float32');
    this.#run('storedNorms', rows, [backend.buffer(activations), norms.buffer, this.#d]);
    const [values] = await backend.readTogether([norms.tensor]);
    norms.tensor.dispose();
    return values instanceof Float32Array ? values : Float32Array.from(values);
  }

  put(activations: Tensor2D, rows: Int32Array, place: number): void {
    const from = this.#programs.backend.buffer(activations);
    this.#listed(rows, (list) =>
      this.#run('storeRows', rows.length, [from, list, this.#memory, place, this.#d]),
    );
  }

  fill(values: Uint16Array | Float32Array, place: number): void {
    const bytes = bytesOf[this.#dtype];
    if (values.BYTES_PER_ELEMENT !== bytes)
      throw new TypeError(`Rows of ${this.#dtype} are not in numbers of ${values.BYTES_PER_ELEMENT} bytes.`);
    const at = this.#memory.address + BigInt(place * this.#d * bytes);
    this.#programs.backend.transfers.upload(values, { address: at, bytes: values.byteLength });
  }

  copy(places: Int32Array): RowStore {
    const copy = new CudaRowStore(this.#programs, [places.length, this.#d], this.#dtype);
    this.#listed(places, (list) =>
      this.#run('copyPlaces', places.length, [this.#memory, list, copy.#memory, this.#d]),
    );
    return copy;
  }

  read(places: Int32Array): Float32Array {
    const values = new Float32Array(places.length * this.#d);
    this.#programs.scratch(values.byteLength, (raw) => {
      this.widen(places, raw, 0);
      this.#programs.backend.transfers.download(raw, values);
    });
    return values;
  }

  /** Writes the rows at these places to `to` as float32, from its row `first` on. */
  widen(places: Int32Array, to: DeviceBuffer, first: number): void {
    this.#listed(places, (list) =>
      this.#run('widenPlaces', places.length, [this.#memory, list, to, first, this.#d]),
    );
  }

  dispose(): void {
    this.#programs.backend.memoryPool.shortage.delete(this.#letGo);
    this.#programs.backend.give(this.#memory);
  }

  /** The store stays while `run` runs. */
  whileKept<T>(run: () => T): T {
    const before = this.#busy;
    this.#busy = true;
    try {
      return run();
    } finally {
      this.#busy = before;
    }
  }

  #listed(list: Int32Array, use: (list: DeviceBuffer) => void): void {
    const { backend } = this.#programs;
    const buffer = backend.transfers.uploaded(list);
    use(buffer);
    backend.give(buffer);
  }

  #run(
    name: KernelName,
    blocks: number,
    args: Parameters<FusedPrograms['backend']['programs']['run']>[2],
  ): void {
    const { programs } = this.#programs.backend;
    programs.run(kernels[this.#dtype][name], { grid: blocks, block: threads }, args);
  }
}

export function rowStores(programs: FusedPrograms, sums: DeviceSums): RowStores {
  return {
    ampleBytes: programs.backend.device.totalBytes / ampleShare,
    open: (rows, d, dtype, lost) => new CudaRowStore(programs, [rows, d], dtype, lost),
    batch(parts: readonly StoredRows[], d: number, scale: number): Batch {
      const rows = parts.reduce((sum, { places }) => sum + places.length, 0);
      const stores = new Set(
        parts.map(({ store }) => {
          if (!(store instanceof CudaRowStore)) throw new TypeError('The rows are not on this device.');
          return store;
        }),
      );
      const gather = () =>
        programs.scratch(4 * rows * d, (raw) => {
          let first = 0;
          for (const { store, places } of parts) {
            if (store instanceof CudaRowStore) store.widen(places, raw, first);
            first += places.length;
          }
          const { tensor, variance } = sums.scaled(raw, [rows, d], scale);
          return { x: tensor, variance };
        });
      return [...stores].reduce<() => Batch>((run, store) => () => store.whileKept(run), gather)();
    },
  };
}
