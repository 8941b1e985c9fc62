/** Where the trainer gets activations from: a shuffled capture, or anything else that can say where it stands. */
import { z } from 'zod';
import type { Batch } from '../ops/fusedKernels.ts';
import type { DeviceOfRows } from '../ops/rowStore.ts';

export const sourceStateSchema = z.strictObject({
  seed: z.int(),
  epoch: z.int().nonnegative(),
  position: z.int().nonnegative(),
  /** Of rows straight from a model: which filling of the buffer since the text began, and the rows left out and given before it. */
  fill: z.int().nonnegative().optional(),
  excluded: z.int().nonnegative().optional(),
  given: z.int().nonnegative().optional(),
});
export type SourceState = z.infer<typeof sourceStateSchema>;

/** Batches of activations for a trainer. */
export interface BatchSource {
  readonly d: number;
  readonly batchSize: number;
  /** Where rows are computed: makes so many ready for `next`, which can't wait, or fewer when the run is stopped meanwhile. */
  ready?(rows: number): Promise<void>;
  /** Where rows are left out as they are computed: how many were so far. */
  readonly excluded?: number;
  /** The next batchSize rows, [batchSize × d]; the caller may change them. A source that makes an array for them may take `into` instead. */
  next(into?: Float32Array): Float32Array;
  /** Takes rows of a capture to each of these devices, where that pays when `rows` rows are still to be read. */
  toDevices?(devices: readonly DeviceOfRows[], rows: number, signal?: AbortSignal): Promise<void>;
  /** The next rows, times `scale`, on each of these devices, where they get there other than by `next`; otherwise null. */
  batches?(scale: number, devices: readonly DeviceOfRows[]): Batch[] | null;
  /** Of a transcoder's training: the outputs [batchSize × outputWidth] of the rows that `next` gave last, as `next` gives those. */
  outputs?(into?: Float32Array): Float32Array;
  /** Width of the outputs; `d` when absent. */
  readonly outputWidth?: number;
  /** Of a crosscoder's training: ends of the blocks of columns that belong to its hook points. */
  readonly blocks?: Int32Array;
  /** Where the source stands, as plain data. */
  state(): SourceState;
  /** Goes back, or on, to where a source with that state stood. */
  restore(state: SourceState): void;
  /** Frees what the source holds, where that isn't the capture's. */
  close?(): Promise<void>;
}
