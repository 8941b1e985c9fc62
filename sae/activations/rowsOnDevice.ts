/**
 * The training rows of a capture in memory of the device, as they are stored: they are sent there once, file by file, and a batch is then
 * gathered there by the numbers of its rows. On the host a batch takes milliseconds, as many as a GPU takes for a step, and ten times as many where the
 * rows are read from files.
 */
import { isLazyscopeError } from '../errors.ts';
import { disposeComputed } from '../ops/computed.ts';
import type { RowStore, RowStores } from '../ops/rowStore.ts';
import type { Batch } from '../ops/trainingStep.ts';
import type { StoredTrainingRows } from './openCapture.ts';

/** Rows of one hook point. */
interface Part {
  readonly rows: StoredTrainingRows;
  readonly width: number;
  readonly store: RowStore;
}

export class RowsOnDevice {
  readonly #stores: RowStores;
  #parts: Part[] = [];

  private constructor(stores: RowStores) {
    this.#stores = stores;
  }

  /**
   * Sends the rows of one hook point, or of a transcoder's two. Null where they take more memory than training can spare, or once `signal` is
   * aborted. Throws what reading throws.
   */
  static async load(
    stores: RowStores,
    hooks: readonly Pick<Part, 'rows' | 'width'>[],
    signal?: AbortSignal,
  ): Promise<RowsOnDevice | null> {
    const bytes = hooks.reduce((sum, { rows, width }) => sum + bytesOf(rows) * rows.places * width, 0);
    if (bytes > stores.ampleBytes) return null;
    const made = new RowsOnDevice(stores);
    try {
      for (const { rows, width } of hooks) {
        const lost = () => made.#lose(rows);
        made.#parts.push({ rows, width, store: stores.open(rows.places, width, rows.dtype, lost) });
      }
      for (const { rows } of hooks)
        for (const { first, values } of rows.blocks()) {
          const part = made.#parts.find((one) => one.rows === rows);
          if (!part || signal?.aborted) {
            made.dispose();
            return null;
          }
          part.store.fill(values, first);
          await new Promise((resolve) => setImmediate(resolve));
        }
      return made.isThere ? made : null;
    } catch (error) {
      made.dispose();
      if (isLazyscopeError(error) && error.code === 'unavailable') return null;
      throw error;
    }
  }

  /** Whether the device still has them all. It lets go of them where it has no memory left for others. */
  get isThere(): boolean {
    return this.#parts.length > 0;
  }

  /** The batch of these rows, as `scaledBatch` makes it of rows that come from the host, to the bit. */
  batch(rows: Uint32Array, scale: number): Batch {
    const [x, target] = this.#parts.map((part) => {
      const places = part.rows.placesOf(rows);
      return this.#stores.batch([{ store: part.store, places }], part.width, scale);
    });
    if (!target) return x;
    disposeComputed(x.variance);
    return { x: x.x, target: target.x, variance: target.variance };
  }

  dispose(): void {
    for (const { store } of this.#parts.splice(0)) store.dispose();
  }

  /** The device has let go of one store; without it the others are of no use. */
  #lose(rows: StoredTrainingRows): void {
    this.#parts = this.#parts.filter((part) => part.rows !== rows);
    this.dispose();
  }
}

const bytesOf = ({ dtype }: StoredTrainingRows) => (dtype === 'float16' ? 2 : 4);
