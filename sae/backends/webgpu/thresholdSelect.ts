/**
 * Selects the pre-activations above their thresholds, as a list or as the whole matrix. The length of the list is known only after the
 * device has counted, and waiting for the count leaves the device idle in the middle of a step. A caller that knows about how
 * many entries to expect therefore gets the form that is right for that number at once, together with the true count on the device,
 * which tells whether the form was right (see `Listed`). Without an expected count it waits, and the form is always right.
 */
import type { Encoder, ThresholdSelection } from '../../ops/fusedKernels.ts';
import { ampleRoom, guessedForm, type EntriesForm, type PathChoice } from '../entriesForm.ts';
import type { Entries } from '../../ops/sparseEntries.ts';
import { tf, type Scalar, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { prefixSums, thresholdCount, thresholdFill } from './kernels/select.ts';
import type { Programs } from './programs.ts';
import type { RowBlock } from './rowBlocks.ts';

/**
 * Above this share of listed latents the matrix is used instead of the list. On an NVIDIA H200 (d = 768, 8,192 latents, docs/GPU.md) the kernels
 * of a step with a matrix took 5.8 ms, and with a list 4.9 ms at a share of 1/16 and 8.4 at 1/8.
 */
const denseAbove = 1 / 13;
/** Bytes of an entry in the largest of the lists that are made of it, that of `fillList`. */
const entryBytes = 16;

/** Calls `visit` with the pre-activations of each block of rows, in order. The visitor disposes them. */
export type EachBlock = (
  x: Tensor2D,
  encoder: Encoder,
  visit: (z: Tensor2D, block: RowBlock) => void,
) => void;

export class ThresholdSelect {
  readonly #backend: DeviceBackend;
  readonly #programs: Programs;
  readonly #eachBlock: EachBlock;
  readonly #choice: PathChoice;

  constructor(backend: DeviceBackend, programs: Programs, eachBlock: EachBlock, choice: PathChoice) {
    this.#backend = backend;
    this.#programs = programs;
    this.#eachBlock = eachBlock;
    this.#choice = choice;
  }

  /** The most entries, of `all`, that are kept as a list. Below nothing, so that an empty list is a matrix too, where one was asked for. */
  #listedUpTo(all: number): number {
    return { auto: Math.floor(denseAbove * all), sparse: all, dense: -1 }[this.#choice.path];
  }

  encode(x: Tensor2D, encoder: Encoder, { threshold, bandwidth, expected }: ThresholdSelection): Entries {
    const [rows] = x.shape;
    const [latents] = encoder.wEnc.shape;
    const programs = this.#programs;
    const guess = expected === undefined ? null : this.#guess(rows, latents, expected);
    const { blocks, lower, rowStart, total } = tf.tidy(() => {
      const blocks: { z: Tensor2D; block: RowBlock }[] = [];
      const lower = threshold ? tf.sub<Tensor1D>(threshold, bandwidth / 2) : this.#zeros(latents);
      const counts = this.#backend.scratch([rows], 'int32');
      this.#eachBlock(x, encoder, (z, block) => {
        programs.run(thresholdCount({ ...block, latents }), [z, lower, counts], block.rows);
        blocks.push({ z, block });
      });
      const rowStart = this.#backend.scratch([rows + 1], 'int32') as Tensor1D;
      const total = this.#backend.scratch([], 'int32') as Scalar;
      programs.run(prefixSums(rows, guess?.most ?? rows * latents), [counts, rowStart, total], 1);
      return { blocks, lower, rowStart, total };
    });
    const form = guess ?? this.#rightForm(rows, latents, total.dataSync()[0]);
    if (!guess) total.dispose();
    const listed = { count: guess ? total : form.most, least: form.least, most: form.most };
    if (form.kind === 'dense') {
      tf.dispose([lower, rowStart]);
      const parts = blocks.map(({ z }) => z);
      if (parts.length === 1) return { kind: 'dense', rows, latents, values: parts[0], listed };
      const values = tf.concat(parts, 0);
      tf.dispose(parts);
      return { kind: 'dense', rows, latents, values, listed };
    }
    const indices = this.#backend.scratch([form.most], 'int32') as Tensor1D;
    const values = this.#backend.scratch([form.most], 'float32') as Tensor1D;
    for (const { z, block } of blocks) {
      const program = thresholdFill({ ...block, latents });
      if (form.most > 0) programs.run(program, [z, lower, rowStart, indices, values], block.rows);
      z.dispose();
    }
    lower.dispose();
    return { kind: 'sparse', rows, latents, rowStart, indices, values, listed };
  }

  /** Zeros that the device makes: TF.js's are made on the host. */
  #zeros(length: number): Tensor1D {
    const zeros = this.#backend.scratch([length], 'float32') as Tensor1D;
    this.#backend.clear(zeros);
    return zeros;
  }

  #rightForm(rows: number, latents: number, count: number): EntriesForm {
    const dense = count > this.#listedUpTo(rows * latents) && this.#fits(rows, latents);
    return { kind: dense ? 'dense' : 'sparse', least: count, most: count };
  }

  /** The form for about this many entries; null where the count is too near the limit to decide. */
  #guess(rows: number, latents: number, expected: number): EntriesForm | null {
    const all = rows * latents;
    const limit = this.#listedUpTo(all);
    const room = Math.min(
      ampleRoom(rows, expected),
      Math.floor(this.#backend.bufferManager.largest / entryBytes),
    );
    return guessedForm({ all, limit, room, expected, fits: this.#fits(rows, latents) });
  }

  /** Whether a matrix fits into one binding; otherwise the entries must be a list. */
  #fits(rows: number, latents: number): boolean {
    return 4 * rows * latents <= this.#backend.bufferManager.largest;
  }
}
