/**
 * Batches of rows as they are stored, which devices widen and scale: from memory of theirs where they have all rows, and otherwise gathered by the host.
 * There a row is copied as a whole, nothing is done to each number, and float16 takes half the way.
 */
import { disposeComputed } from '../ops/computed.ts';
import type { DeviceOfRows, HostColumns, RowStores } from '../ops/rowStore.ts';
import { type Batch, disposeBatch } from '../ops/trainingStep.ts';
import { RowsOnDevice } from './rowsOnDevice.ts';
import { bytesOfType } from '../spec/shardTypes.ts';
import { isJoint, type StoredTrainingRows } from './storedRows.ts';

/** The batches of a run, of one hook point, of a transcoder's two, or of a crosscoder's several. It holds memory of devices: dispose it. */
export class StoredBatches {
  readonly #x: readonly StoredTrainingRows[];
  readonly #target: readonly StoredTrainingRows[] | null;
  readonly #onDevices = new Map<RowStores, RowsOnDevice>();
  /** Where the host has gathered the last batch, by hook point, where several devices are sent it. */
  readonly #gathered = new Map<StoredTrainingRows, Uint8Array>();

  /** The hook points whose rows, side by side, are read, and those whose rows are predicted; null where those are the same. */
  constructor(x: readonly StoredTrainingRows[], target: readonly StoredTrainingRows[] | null) {
    this.#x = x;
    this.#target = target;
  }

  /** Takes the rows to those of these devices that have memory for them. Throws what reading throws. */
  async toDevices(devices: readonly DeviceOfRows[], signal?: AbortSignal): Promise<void> {
    const able = devices.flatMap(({ rowStores: stores }) =>
      stores && !this.#onDevices.has(stores) && (stores.jointBatch || !isJoint(this.#x)) ? [stores] : [],
    );
    if (able.length === 0) return;
    const loaded = await RowsOnDevice.load(able, [...this.#x, ...(this.#target ?? [])], signal);
    for (const [at, rows] of loaded.entries()) if (rows) this.#onDevices.set(able[at], rows);
  }

  /** Whether `batches` can make batches for all of these devices. */
  reaches(devices: readonly DeviceOfRows[]): boolean {
    return devices.every(
      ({ rowStores, hostBatch }) => hostBatch ?? (rowStores && this.#onDevices.get(rowStores)?.isThere),
    );
  }

  /** The batch of these rows on each device, as `scaledBatch` makes it, to the bit; null where a device has let go of its rows and can't be sent them. */
  batches(rows: Uint32Array, scale: number, devices: readonly DeviceOfRows[]): Batch[] | null {
    const columns = this.#columns(rows, devices.length > 1);
    const made: Batch[] = [];
    try {
      for (const device of devices) {
        const { on = here } = device;
        const batch = on(() => this.#batch(device, rows, scale, columns));
        if (!batch) break;
        made.push(batch);
      }
    } catch (error) {
      made.forEach(disposeBatch);
      throw error;
    }
    if (made.length === devices.length) return made;
    made.forEach(disposeBatch);
    return null;
  }

  dispose(): void {
    for (const rows of this.#onDevices.values()) rows.dispose();
    this.#onDevices.clear();
  }

  #batch(
    { rowStores, hostBatch }: DeviceOfRows,
    rows: Uint32Array,
    scale: number,
    columns: (hook: StoredTrainingRows) => HostColumns,
  ): Batch | null {
    const of = (hooks: readonly StoredTrainingRows[]) =>
      (rowStores && this.#onDevices.get(rowStores)?.batch(hooks, rows, scale)) ??
      hostBatch?.(hooks.map(columns), rows.length, scale) ??
      null;
    const x = of(this.#x);
    if (!x || !this.#target) return x;
    try {
      disposeComputed(x.variance);
      const target = of(this.#target);
      if (target) return { x: x.x, target: target.x, variance: target.variance };
    } catch (error) {
      x.x.dispose();
      throw error;
    }
    x.x.dispose();
    return null;
  }

  /** The rows of each hook point as the host has them; for several devices they are gathered once. */
  #columns(rows: Uint32Array, forSeveral: boolean): (hook: StoredTrainingRows) => HostColumns {
    const known = new Map<StoredTrainingRows, HostColumns>();
    return (hook) => {
      let columns = known.get(hook);
      if (!columns) {
        const { width, scale } = hook;
        const places = hook.placesOf(rows);
        const gather = (into: Uint8Array, first: number, count: number) =>
          hook.gather(places.subarray(first, first + count), into);
        const write = forSeveral ? this.#once(hook, rows.length, gather) : gather;
        known.set(hook, (columns = { d: width, scale, dtype: hook.gatheredAs(), write }));
      }
      return columns;
    };
  }

  #once(hook: StoredTrainingRows, rows: number, gather: HostColumns['write']): HostColumns['write'] {
    const rowBytes = hook.width * bytesOfType[hook.gatheredAs()];
    let all: Uint8Array | null = null;
    return (into, first, count) => {
      if (!all) {
        const kept = this.#gathered.get(hook);
        all = kept?.length === rows * rowBytes ? kept : new Uint8Array(rows * rowBytes);
        this.#gathered.set(hook, all);
        gather(all, 0, rows);
      }
      into.set(all.subarray(first * rowBytes, (first + count) * rowBytes));
    };
  }
}

const here = <T>(run: () => T): T => run();
