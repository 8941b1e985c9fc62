/** Rows of activations in memory of the device; see source/rowStore.cu. */
import type { Batch } from '../../../ops/fusedKernels.ts';
import type { HostBatch, HostColumns, RowStore, RowStores, RowType, StoredColumns, StoredRows } from '../../../ops/rowStore.ts'; // prettier-ignore
import { bytesOfType } from '../../../spec/shardTypes.ts';
import type { Tensor2D } from '../../../tensor/tf.ts';
import { KeptStore, whileAllKept } from '../../keptStore.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { KernelRequest } from '../programs.ts';
import type { DeviceSums } from './deviceSums.ts';
import type { FusedPrograms } from './fusedPrograms.ts';

const file = 'rowStore.cu';
const threads = 256;
/** Training a large dictionary takes most of a device. */
const ampleShare = 4;
const kernelNames = ['storedNorms', 'storeRows', 'widenPlaces', 'copyPlaces'] as const;
type KernelName = (typeof kernelNames)[number];

function requests(dtype: RowType): Readonly<Record<KernelName, KernelRequest>> {
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

/** Where rows are widened to: `first` is a row of `to` [.., width], and `column` one of its columns. */
interface Widened {
  readonly to: DeviceBuffer;
  readonly first: number;
  readonly column: number;
  readonly width: number;
  /** What their numbers are multiplied by. */
  readonly scale: number;
}

class CudaRowStore extends KeptStore implements RowStore {
  readonly #programs: FusedPrograms;
  readonly #d: number;
  readonly #dtype: RowType;
  readonly #memory: DeviceBuffer;
  readonly #letGo: () => void;

  constructor(
    programs: FusedPrograms,
    [rows, d]: readonly [number, number],
    dtype: RowType,
    lost?: () => void,
  ) {
    super();
    this.#programs = programs;
    this.#d = d;
    this.#dtype = dtype;
    const { memoryPool } = programs.backend;
    this.#memory = programs.backend.scratch(rows * d * bytesOfType[dtype]);
    this.#letGo = () => this.letGo(lost);
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
    const bytes = bytesOfType[this.#dtype];
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
      this.widen(places, { to: raw, first: 0, column: 0, width: this.#d, scale: 1 });
      this.#programs.backend.transfers.download(raw, values);
    });
    return values;
  }

  /** Writes the rows at these places to some columns of `to` as float32, from its row `first` on. */
  widen(places: Int32Array, { to, first, column, width, scale }: Widened): void {
    this.#listed(places, (list) =>
      this.#run('widenPlaces', places.length, [this.#memory, list, to, first, this.#d, scale, column, width]),
    );
  }

  dispose(): void {
    this.#programs.backend.memoryPool.shortage.delete(this.#letGo);
    this.#programs.backend.give(this.#memory);
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

/** These stores stay while `run` runs. Throws `TypeError` for one of another backend. */
function whileKept<T>(stores: readonly RowStore[], run: (stores: readonly CudaRowStore[]) => T): T {
  const own = stores.map((store) => {
    if (!(store instanceof CudaRowStore)) throw new TypeError('The rows are not on this device.');
    return store;
  });
  return whileAllKept(own, () => run(own));
}

export function rowStores(programs: FusedPrograms, sums: DeviceSums): RowStores {
  const scaled = scaledBy(sums);
  return {
    ampleBytes: programs.backend.device.totalBytes / ampleShare,
    open: (rows, d, dtype, lost) => new CudaRowStore(programs, [rows, d], dtype, lost),
    batch(parts: readonly StoredRows[], d: number, scale: number): Batch {
      const rows = parts.reduce((sum, { places }) => sum + places.length, 0);
      const stores = parts.map(({ store }) => store);
      return whileKept(stores, (kept) =>
        programs.scratch(4 * rows * d, (raw) => {
          let first = 0;
          for (const [at, { places }] of parts.entries()) {
            kept[at].widen(places, { to: raw, first, column: 0, width: d, scale: 1 });
            first += places.length;
          }
          return scaled(raw, [rows, d], scale);
        }),
      );
    },
    jointBatch(columns: readonly StoredColumns[], scale: number): Batch {
      const rows = columns[0].places.length;
      const width = widthOf(columns);
      const stores = columns.map(({ store }) => store);
      return whileKept(stores, (kept) =>
        programs.scratch(4 * rows * width, (raw) => {
          let column = 0;
          for (const [at, { places, d, scale: own }] of columns.entries()) {
            if (places.length !== rows)
              throw new TypeError(`Columns of ${rows} and of ${places.length} rows don't make a batch.`);
            kept[at].widen(places, { to: raw, first: 0, column, width, scale: own });
            column += d;
          }
          return scaled(raw, [rows, width], scale);
        }),
      );
    },
  };
}

/** Batches of rows that the host sends as they are stored, through pinned memory. */
export function hostBatches(programs: FusedPrograms, sums: DeviceSums): HostBatch {
  const { backend } = programs;
  const scaled = scaledBy(sums);
  /** The columns as they are stored, on the device while `use` runs. */
  function sent<T>({ d, dtype, write }: HostColumns, rows: number, use: (stored: DeviceBuffer) => T): T {
    const rowBytes = d * bytesOfType[dtype];
    const stored = backend.transfers.uploadedInParts(rows * rowBytes, rowBytes, (into, from) =>
      write(into, from / rowBytes, into.length / rowBytes),
    );
    try {
      return use(stored);
    } finally {
      backend.give(stored);
    }
  }
  return (columns, rows, scale) => {
    const width = widthOf(columns);
    const [{ dtype, scale: only }] = columns;
    // What is in 32 bits already needs no widening.
    if (columns.length === 1 && dtype === 'float32' && only === 1)
      return sent(columns[0], rows, (raw) => scaled(raw, [rows, width], scale));
    return programs.scratch(4 * rows * width, (raw) => {
      let column = 0;
      for (const own of columns) {
        const { d, dtype: type, scale: times } = own;
        const args = [raw, 0, d, times, column, width] as const;
        const launch = { grid: rows, block: threads };
        sent(own, rows, (stored) =>
          backend.programs.run(kernels[type].widenPlaces, launch, [stored, null, ...args]),
        );
        column += d;
      }
      return scaled(raw, [rows, width], scale);
    });
  };
}

const scaledBy =
  (sums: DeviceSums) =>
  (raw: DeviceBuffer, shape: [number, number], scale: number): Batch => {
    const { tensor, variance } = sums.scaled(raw, shape, scale);
    return { x: tensor, variance };
  };

const widthOf = (columns: readonly { d: number }[]) => columns.reduce((sum, { d }) => sum + d, 0);
