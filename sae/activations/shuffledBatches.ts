/**
 * The training rows of a capture in batches, each row once an epoch, in an order that depends only on the seed and
 * the epoch. A reader's state is three numbers, so that a checkpoint can store it and resume exactly there.
 */
import { LazyscopeError } from '../errors.ts';
import type { Capture } from './openCapture.ts';
import { Permutation } from './permutation.ts';
import { ShuffledWindows } from './shuffledWindows.ts';

export interface ShuffleState {
  seed: number;
  epoch: number;
  /** Rows of this epoch that were already returned. */
  position: number;
}

/** Of a capture, or of the rows selected from one. */
type TrainingRows = Pick<Capture, 'manifest' | 'trainRows' | 'width' | 'gatherRows' | 'streaming'>;

export class ShuffledBatches {
  readonly d: number;
  readonly batchSize: number;
  readonly outputs?: () => Float32Array;
  readonly outputWidth?: number;
  readonly blocks?: Int32Array;
  /** Of a capture that is fetched as it is read: waits until the next `rows` rows are in memory, and begins to fetch those after them. */
  readonly ready?: (rows: number) => Promise<void>;
  #windows: ShuffledWindows | undefined;
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
      this.outputs = () => {
        if (this.#outputs) return this.#outputs;
        const out = new Float32Array(this.batchSize * width);
        capture.gatherRows(outputHook, this.#rows, out);
        return out;
      };
    }
    this.#state = { seed: options.seed, epoch: 0, position: 0 };
    this.#permutation = this.#permute();
    if (options.state) this.restore(options.state);
    const { streaming } = capture;
    if (streaming) {
      const hooks = [hook, ...(outputHook !== undefined ? [outputHook] : [])];
      const windows = new ShuffledWindows(capture, streaming, hooks);
      this.#windows = windows;
      this.ready = (rows) => windows.cover(this.#place(), rows);
      if (outputHook !== undefined) this.#outputs = new Float32Array(0);
    }
    this.#outputHook = outputHook;
  }

  /** Frees what was made ready. */
  async close(): Promise<void> {
    await this.#windows?.close();
  }

  /** The next batchSize rows, [batchSize × d]; a batch that reaches the end of an epoch is filled from the next. */
  next(): Float32Array {
    if (this.#windows) return this.#nextOf(this.#windows);
    const out = new Float32Array(this.batchSize * this.d);
    this.#capture.gatherRows(this.#hook, this.nextRows(), out);
    return out;
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

  #nextOf(windows: ShuffledWindows): Float32Array {
    const out = new Float32Array(this.batchSize * this.d);
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
