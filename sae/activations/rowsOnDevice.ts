/**
 * The training rows of a capture in memory of devices, as they are stored: they are sent there once, file by file, and a batch is then
 * gathered there by the numbers of its rows. On the host a batch takes a millisecond or two, about as long as a GPU takes for a step.
 */
import { isLazyscopeError } from '../errors.ts';
import type { RowStore, RowStores, StoredColumns } from '../ops/rowStore.ts';
import type { Batch } from '../ops/trainingStep.ts';
import { isJoint, storedBytes, type StoredTrainingRows } from './storedRows.ts';

/** Rows of one hook point. */
interface Part {
  readonly rows: StoredTrainingRows;
  readonly store: RowStore;
}

/** The rows of hook points in memory of one device. */
export class RowsOnDevice {
  readonly #stores: RowStores;
  #parts: Part[] = [];

  private constructor(stores: RowStores) {
    this.#stores = stores;
  }

  /**
   * Sends the rows of these hook points to each of the devices, in one reading. Null in place of a device whose memory they take more of than training can
   * spare, and of all devices once `signal` is aborted. Throws what reading throws.
   */
  static async load(
    devices: readonly RowStores[],
    hooks: readonly StoredTrainingRows[],
    signal?: AbortSignal,
  ): Promise<(RowsOnDevice | null)[]> {
    const bytes = hooks.reduce((sum, rows) => sum + storedBytes(rows), 0);
    const made = devices.map((stores) => new RowsOnDevice(stores));
    const left = () => made.filter((one) => one.isThere);
    try {
      for (const one of made) if (bytes <= one.#stores.ampleBytes) one.#open(hooks);
      for (const rows of hooks) {
        if (left().length === 0) break;
        for (const { first, values } of rows.blocks()) {
          if (signal?.aborted) for (const one of made) one.dispose();
          for (const one of left()) one.#fill(rows, values, first);
          if (left().length === 0) break;
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
      return made.map((one) => (one.isThere ? one : null));
    } catch (error) {
      for (const one of made) one.dispose();
      throw error;
    }
  }

  /** Whether the device still has them all. It lets go of them where it has no memory left for others. */
  get isThere(): boolean {
    return this.#parts.length > 0;
  }

  /**
   * The columns of some hook points side by side, as `scaledBatch` makes them of rows that come from the host, to the bit. Null once the device has let go
   * of them.
   */
  batch(hooks: readonly StoredTrainingRows[], rows: Uint32Array, scale: number): Batch | null {
    const columns = hooks.flatMap((hook): StoredColumns[] => {
      const part = this.#parts.find((one) => one.rows === hook);
      return part
        ? [{ store: part.store, places: hook.placesOf(rows), d: hook.width, scale: hook.scale }]
        : [];
    });
    if (columns.length < hooks.length) return null;
    const [only] = columns;
    if (!isJoint(hooks)) return this.#stores.batch([only], only.d, scale);
    if (!this.#stores.jointBatch) throw new TypeError('The device puts no hook points side by side.');
    return this.#stores.jointBatch(columns, scale);
  }

  dispose(): void {
    for (const { store } of this.#parts.splice(0)) store.dispose();
  }

  /** Memory for all rows, or none where the device doesn't have it. */
  #open(hooks: readonly StoredTrainingRows[]): void {
    this.#orNone(() => {
      for (const rows of hooks) {
        const store = this.#stores.open(rows.places, rows.width, rows.dtype, () => this.#lose(rows));
        this.#parts.push({ rows, store });
      }
      // Memory for the last may have been taken from the first.
      if (this.#parts.length < hooks.length) this.dispose();
    });
  }

  #fill(rows: StoredTrainingRows, values: Uint16Array | Float32Array, first: number): void {
    this.#orNone(() => this.#parts.find((one) => one.rows === rows)?.store.fill(values, first));
  }

  #orNone(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.dispose();
      if (!(isLazyscopeError(error) && error.code === 'unavailable')) throw error;
    }
  }

  /** The device has let go of one store; without it the others are of no use. */
  #lose(rows: StoredTrainingRows): void {
    this.#parts = this.#parts.filter((part) => part.rows !== rows);
    this.dispose();
  }
}
