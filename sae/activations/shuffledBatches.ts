/**
 * The training rows of a capture in batches, each row once an epoch, in an order that depends only on the seed and
 * the epoch. A reader's state is three numbers, so that a checkpoint can store it and resume exactly there.
 */
import { LazyscopeError } from '../errors.ts';
import type { DeviceOfRows } from '../ops/rowStore.ts';
import type { Batch } from '../ops/trainingStep.ts';
import type { Capture } from './openCapture.ts';
import { Permutation } from './permutation.ts';
import { ShuffledWindows } from './shuffledWindows.ts';
import { StoredBatches } from './storedBatches.ts';

export interface ShuffleState {
  seed: number;
  epoch: number;
  /** Rows of this epoch that were already returned. */
  position: number;
}

/** Of a capture, or of the rows selected from one. */
type TrainingRows = Pick<
  Capture,
  'manifest' | 'trainRows' | 'width' | 'gatherRows' | 'streaming' | 'storedRows'
>;

export class ShuffledBatches {
  readonly d: number;
  readonly batchSize: number;
  readonly outputs?: (into?: Float32Array) => Float32Array;
  readonly outputWidth?: number;
  readonly blocks?: Int32Array;
  /** Of a capture that is fetched as it is read: waits until the next `rows` rows are in memory, and begins to fetch those after them. */
  readonly ready?: (rows: number) => Promise<void>;
  #windows: ShuffledWindows | undefined;
  /** Absent where rows come from windows. */
  #stored: StoredBatches | undefined;
  /** Outputs of the last batch, where rows come from windows, which may be gone when they are asked for. */
  #outputs: Float32Array | undefined;
  #capture: TrainingRows;
  #hook: string;
  #outputHook: string | undefined;
  #rows: Uint32Array;
  #state: ShuffleState;
  #permutation: Permutation;

  /**
   * `blocks` are ends of the blocks of columns of a joint hook point. With `outputHook`, `outputs` gives the activations there of the rows that `next` gave last. Throws `bad_input` when there are no training
   * rows. With `state`, continues where the reader with that state was.
   */
  constructor(
    capture: TrainingRows,
    hook: string,
    options: {
      seed: number;
      batchSize: number;
      outputHook?: string | undefined;
      blocks?: Int32Array | undefined;
      state?: ShuffleState;
    },
  ) {
    if (capture.trainRows === 0)
      throw new LazyscopeError(
        'bad_input',
        `Capture '${capture.manifest.name}' has no rows to train on: capture more text.`,
      );
    this.d = capture.width(hook);
    this.batchSize = options.batchSize;
    this.#capture = capture;
    this.#hook = hook;
    this.#rows = new Uint32Array(options.batchSize);
    const { outputHook, blocks } = options;
    if (blocks) this.blocks = blocks;
    if (outputHook !== undefined) {
      const width = capture.width(outputHook);
      this.outputWidth = width;
      this.outputs = (into = this.#newRows(this.#outputs ? 0 : width)) => {
        if (this.#outputs) return this.#outputs;
        capture.gatherRows(outputHook, this.#rows, into);
        return into;
      };
    }
    this.#state = { seed: options.seed, epoch: 0, position: 0 };
    this.#permutation = this.#permute();
    if (options.state) this.restore(options.state);
    const { streaming, storedRows } = capture;
    if (storedRows)
      this.#stored = new StoredBatches(
        storedRows(hook),
        outputHook === undefined ? null : storedRows(outputHook),
      );
    if (streaming) {
      const hooks = [hook, ...(outputHook !== undefined ? [outputHook] : [])];
      const windows = new ShuffledWindows(capture, streaming, hooks);
      this.#windows = windows;
      this.ready = (rows) => windows.cover(this.#place(), rows);
      if (outputHook !== undefined) this.#outputs = new Float32Array(0);
    }
    this.#outputHook = outputHook;
  }

  /**
   * Takes the rows to those of these devices that have memory for them, where `rows` rows are still to be read: no fewer than there are, since
   * reading all of them costs as much as gathering as many.
   */
  async toDevices(devices: readonly DeviceOfRows[], rows: number, signal?: AbortSignal): Promise<void> {
    if (rows >= this.#capture.trainRows) await this.#stored?.toDevices(devices, signal);
  }

  /** The next rows, times `scale`, on each of these devices, which have them or are sent them as they are stored; null where one can't take them so. */
  batches(scale: number, devices: readonly DeviceOfRows[]): Batch[] | null {
    if (!this.#stored?.reaches(devices)) return null;
    const before = this.state();
    const batches = this.#stored.batches(this.nextRows(), scale, devices);
    if (!batches) this.restore(before);
    return batches;
  }

  /** Frees what was made ready. */
  async close(): Promise<void> {
    this.#stored?.dispose();
    await this.#windows?.close();
  }

  /**
   * The next batchSize rows, [batchSize × d], in `into` where it is given; a batch that reaches the end of an epoch is filled from the next. New
   * memory costs about as much as the copying, since the system clears it page by page.
   */
  next(into = this.#newRows(this.d)): Float32Array {
    if (this.#windows) return this.#nextOf(this.#windows, into);
    this.#capture.gatherRows(this.#hook, this.nextRows(), into);
    return into;
  }

  /** [batchSize]: the row numbers of the next batch, for callers that gather the rows themselves; overwritten by the next call. */
  nextRows(): Uint32Array {
    for (let i = 0; i < this.batchSize; i++) {
      if (this.#state.position === this.#capture.trainRows) {
        this.#state = { ...this.#state, epoch: this.#state.epoch + 1, position: 0 };
        this.#permutation = this.#permute();
      }
      this.#rows[i] = this.#permutation.at(this.#state.position++);
    }
    return this.#rows;
  }

  state(): ShuffleState {
    return { ...this.#state };
  }

  restore(state: ShuffleState): void {
    if (!(state.position >= 0 && state.position <= this.#capture.trainRows))
      throw new LazyscopeError(
        'bad_input',
        `Position ${state.position} is not in capture '${this.#capture.manifest.name}' of ${this.#capture.trainRows} training rows: resume with the capture the run began with.`,
      );
    this.#state = { ...state };
    this.#permutation = this.#permute();
  }

  #nextOf(windows: ShuffledWindows, out: Float32Array): Float32Array {
    const { outputWidth = 0 } = this;
    const outputs = new Float32Array(this.batchSize * outputWidth);
    for (let i = 0; i < this.batchSize; i++) {
      const place = this.#place();
      windows.copy(this.#hook, place, out, i * this.d);
      if (this.#outputHook !== undefined) windows.copy(this.#outputHook, place, outputs, i * outputWidth);
      this.#state = { ...place, position: place.position + 1 };
    }
    if (this.#outputHook !== undefined) this.#outputs = outputs;
    return out;
  }

  #newRows(width: number): Float32Array {
    return new Float32Array(this.batchSize * width);
  }

  /** Where the next row is: an epoch that has ended goes on in the next one. */
  #place(): ShuffleState {
    const { seed, epoch, position } = this.#state;
    const hasEnded = position === this.#capture.trainRows;
    return hasEnded ? { seed, epoch: epoch + 1, position: 0 } : { seed, epoch, position };
  }

  #permute(): Permutation {
    return new Permutation(this.#capture.trainRows, this.#state.seed, `epoch ${this.#state.epoch}`);
  }
}
