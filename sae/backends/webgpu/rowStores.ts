/** Rows of activations in memory of the device; see kernels/rowStore.ts. */
import { totalmem } from 'node:os';
import type { RowStore, RowStores, RowType, StoredRows } from '../../ops/rowStore.ts';
import type { Batch } from '../../ops/trainingStep.ts';
import { bytesOfType } from '../../spec/shardTypes.ts';
import { tf, type Tensor, type Tensor2D, type Tf } from '../../tensor/tf.ts';
import { KeptStore, whileAllKept } from '../keptStore.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import {
  copyPlaces,
  squaresGroups,
  storedSquares,
  storeRows,
  widenPlaces,
  wordsOf,
} from './kernels/rowStore.ts';
import type { Programs } from './programs.ts';

/** Training a large dictionary takes most of a device. */
const ampleShare = 4;

export interface RowStoresOptions {
  /** Most bytes of one buffer of a store; the device's limits decide where it is left out. For tests. */
  readonly bufferBytes?: number;
}

interface Device {
  readonly backend: DeviceBackend;
  readonly programs: Programs;
}

/** The rows from `first` on, as many as fit one binding. */
interface Piece {
  readonly first: number;
  readonly memory: Tf.TensorInfo;
}

class WebgpuRowStore extends KeptStore implements RowStore {
  readonly #device: Device;
  readonly #d: number;
  readonly #dtype: RowType;
  readonly #pieceBytes: number;
  /** Rows of each piece but the last. */
  readonly #each: number;
  readonly #pieces: Piece[] = [];
  readonly #letGo: () => void;

  constructor(
    device: Device,
    [rows, d]: readonly [number, number],
    dtype: RowType,
    pieceBytes: number,
    lost?: () => void,
  ) {
    super();
    this.#device = device;
    this.#d = d;
    this.#dtype = dtype;
    this.#pieceBytes = pieceBytes;
    const words = wordsOf(dtype, d);
    this.#each = Math.max(1, Math.floor(pieceBytes / (4 * words)));
    this.#letGo = () => this.letGo(lost);
    try {
      for (let first = 0; first < rows; first += this.#each) {
        const memory = device.backend.setAside(Math.min(this.#each, rows - first) * words);
        this.#pieces.push({ first, memory });
      }
    } catch (error) {
      this.dispose();
      throw error;
    }
    if (lost) device.backend.bufferManager.shortage.add(this.#letGo);
  }

  async norms(activations: Tensor2D): Promise<Float32Array> {
    const { backend, programs } = this.#device;
    const [rows, d] = activations.shape;
    const squares = backend.scratch([rows, 2], 'int32');
    programs.run(storedSquares({ dtype: this.#dtype, rows, d }), [activations, squares], squaresGroups(rows));
    const [words] = await backend.readTogether([squares]);
    squares.dispose();
    // The device has no doubles, and its square root is not exact.
    return Float32Array.from(new Float64Array(words.buffer), Math.sqrt);
  }

  put(activations: Tensor2D, rows: Int32Array, place: number): void {
    const [dtype, d] = [this.#dtype, this.#d];
    this.#listed(rows, (list) => {
      for (const { memory, first, from, count } of this.#spans(place, rows.length)) {
        const program = storeRows({ dtype, d, count, first: from, place: place + from - first });
        this.#device.programs.run(program, [activations, list, memory], count);
      }
    });
  }

  fill(values: Uint16Array | Float32Array, place: number): void {
    const bytes = bytesOfType[this.#dtype];
    if (values.BYTES_PER_ELEMENT !== bytes)
      throw new TypeError(`Rows of ${this.#dtype} are not in numbers of ${values.BYTES_PER_ELEMENT} bytes.`);
    const words = wordsOf(this.#dtype, this.#d);
    const stored = (4 * words) / bytes;
    const whole = stored === this.#d ? values : padded(values, this.#d, stored);
    this.whileKept(() => {
      for (const { memory, first, from, count } of this.#spans(place, whole.length / stored)) {
        const rows = whole.subarray(from * stored, (from + count) * stored);
        this.#device.backend.upload(rows, memory, 4 * words * (place + from - first));
      }
      this.#device.backend.flush();
    });
  }

  copy(places: Int32Array): RowStore {
    const copy = new WebgpuRowStore(this.#device, [places.length, this.#d], this.#dtype, this.#pieceBytes);
    for (const to of copy.#pieces) {
      const rows = places.subarray(to.first, to.first + copy.#each);
      this.#eachPiece(rows, 0, (memory, pairs, count) =>
        this.#device.programs.run(
          copyPlaces({ dtype: this.#dtype, d: this.#d, count }),
          [memory, pairs, to.memory],
          count,
        ),
      );
    }
    return copy;
  }

  read(places: Int32Array): Float32Array {
    const out = this.#device.backend.scratch([places.length, this.#d], 'float32');
    this.widen(places, out, 0);
    const values = out.dataSync<'float32'>();
    out.dispose();
    return values;
  }

  /** Writes the rows at these places to `to` [.., d], from its row `first` on. */
  widen(places: Int32Array, to: Tensor, first: number): void {
    this.#eachPiece(places, first, (memory, pairs, count) =>
      this.#device.programs.run(
        widenPlaces({ dtype: this.#dtype, d: this.#d, count }),
        [memory, pairs, to],
        count,
      ),
    );
  }

  dispose(): void {
    const { backend } = this.#device;
    backend.bufferManager.shortage.delete(this.#letGo);
    for (const { memory } of this.#pieces.splice(0)) backend.disposeData(memory.dataId);
  }

  /** Calls `use` with the memory of each piece that some of the places are in, and pairs of a place there and a row from `first` on. */
  #eachPiece(
    places: Int32Array,
    first: number,
    use: (memory: Tf.TensorInfo, pairs: Tensor, count: number) => void,
  ): void {
    const pairs = this.#pieces.map(() => [] as number[]);
    places.forEach((place, i) => {
      const piece = Math.floor(place / this.#each);
      pairs[piece].push(place - piece * this.#each, first + i);
    });
    for (const [i, { memory }] of this.#pieces.entries())
      if (pairs[i].length > 0)
        this.#listed(Int32Array.from(pairs[i]), (list) => use(memory, list, pairs[i].length / 2));
  }

  /** Which of `count` rows, from `place` on, are in which piece: those `from` on, `count` of them. */
  *#spans(place: number, rows: number): Generator<Piece & { from: number; count: number }> {
    for (const { first, memory } of this.#pieces) {
      const from = Math.max(first - place, 0);
      const count = Math.min(first + this.#each - place, rows) - from;
      if (count > 0) yield { first, memory, from, count };
    }
  }

  #listed(list: Int32Array, use: (list: Tensor) => void): void {
    if (list.length === 0) return;
    const tensor = tf.tensor1d(list, 'int32');
    this.whileKept(() => use(tensor));
    tensor.dispose();
  }
}

/** Rows of `stored` numbers each from rows of d. */
function padded(values: Uint16Array | Float32Array, d: number, stored: number): Uint16Array {
  const out = new Uint16Array((values.length / d) * stored);
  for (let row = 0; row * d < values.length; row++)
    out.set(values.subarray(row * d, (row + 1) * d), row * stored);
  return out;
}

/** `scaled` makes the batch of raw rows, which it disposes. */
export function rowStores(
  device: Device,
  scaled: (raw: Tensor2D, scale: number) => Batch,
  { bufferBytes }: RowStoresOptions = {},
): RowStores {
  const { backend } = device;
  return {
    // WebGPU tells no memory. It tells the largest buffer, which is 4 GiB at most on drivers of today and hardly ever more than there is, and a device that
    // computes on the processor, or shares its memory, has no more than that.
    ampleBytes: Math.min(backend.device.limits.maxBufferSize, totalmem()) / ampleShare,
    open(rows, d, dtype, lost) {
      // From here on what a model computes has the bits that it has later.
      backend.stayOnDevice();
      const bytes = bufferBytes ?? backend.bufferManager.largest;
      return new WebgpuRowStore(device, [rows, d], dtype, bytes, lost);
    },
    batch(parts: readonly StoredRows[], d: number, scale: number): Batch {
      const stores = parts.map(({ store }) => {
        if (!(store instanceof WebgpuRowStore)) throw new TypeError('The rows are not on this device.');
        return store;
      });
      const gather = () => {
        const rows = parts.reduce((sum, { places }) => sum + places.length, 0);
        const raw = backend.scratch([rows, d], 'float32') as Tensor2D;
        let first = 0;
        for (const [i, { places }] of parts.entries()) {
          stores[i].widen(places, raw, first);
          first += places.length;
        }
        return scaled(raw, scale);
      };
      return whileAllKept(stores, gather);
    },
  };
}
