/**
 * Selects the pre-activations above their thresholds, as a list or as the whole matrix. The length of the list is known only after the
 * device has counted. A caller that knows about how many entries to expect gets the form that is right for that number at once, with
 * the true count on the device, which tells whether the form was right (see `Listed`). Without an expected count this waits.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Encoder, ThresholdSelection } from '../../../ops/fusedKernels.ts';
import type { Entries } from '../../../ops/sparseEntries.ts';
import type { Scalar, Tensor1D, Tensor2D } from '../../../tensor/tf.ts';
import { ampleRoom, guessedForm, type EntriesForm, type PathChoice } from '../../entriesForm.ts';
import type { EncoderCopies } from './encoderCopies.ts';
import type { EntriesByLatent } from './entriesByLatent.ts';
import { type FusedPrograms } from './fusedPrograms.ts';
import { listRows } from './listedRows.ts';
import { centred, mostEntries, multiply } from './preActivations.ts';
import type { Screening } from '../screening.ts';
import { pays, screenCapacities, screenCapacity } from './screen.ts';

const file = 'fusedSelect.cu';
const threads = 512;

/**
 * Above this share of listed latents the matrix is used instead of the list: an entry of a list costs 16·d bytes from memory, and
 * one of the matrix 8·d operations in full precision, of which a GPU makes about 16 a byte.
 */
const denseAbove = 1 / 8;

export interface ThresholdOptions {
  readonly choice: PathChoice;
  screening(): Screening;
  /** Most bytes of screening pre-activations in memory at once. */
  readonly blockBytes: number;
}

/** Screening has room for so many candidates of a row; where this many times the mean of what is listed is more, it would often fail. */
const rowsDiffer = 4;
/**
 * *Estimate*: a candidate costs 4·d bytes from memory, at 4 TB/s on an H100 or H200, and a pre-activation by a product in full 2·d operations at 50 TFLOP/s, so
 * that screening pays up to one candidate in 24 latents. There are about twice as many candidates as entries.
 */
const screenedBelow = 1 / 48;
/** Bytes of shared memory that a row of x and its candidates may take. */
const mostShared = 90 * 2 ** 10;

export class ThresholdSelect {
  readonly #programs: FusedPrograms;
  readonly #byLatent: EntriesByLatent;
  readonly #copies: EncoderCopies;
  readonly #options: ThresholdOptions;

  constructor(
    programs: FusedPrograms,
    byLatent: EntriesByLatent,
    copies: EncoderCopies,
    options: ThresholdOptions,
  ) {
    this.#programs = programs;
    this.#byLatent = byLatent;
    this.#copies = copies;
    this.#options = options;
  }

  encode(x: Tensor2D, encoder: Encoder, { threshold, bandwidth, expected }: ThresholdSelection): Entries {
    const { backend } = this.#programs;
    const [rows, d] = x.shape;
    const [latents] = encoder.wEnc.shape;
    const formFor = (count: number | undefined) => {
      const form = count === undefined ? null : this.#guess(rows, latents, count);
      return {
        form,
        capacity: form?.kind === 'sparse' ? this.#capacity(count ?? 0, [rows, d, latents]) : null,
      };
    };
    const { form: guess, capacity } = formFor(expected);
    backend.recording?.onlyWhere((step) =>
      isDeepStrictEqual(formFor(step.expected), { form: guess, capacity }),
    );
    if (guess && capacity) return this.#screened(x, encoder, { threshold, bandwidth, capacity }, guess);
    const bias = backend.buffer(encoder.bEnc);
    const bars = [this.#programs.maybe(threshold), bandwidth, latents] as const;
    const z = this.#programs.output<Tensor2D>([rows, latents], 'float32');
    centred(this.#programs, x, encoder, (from) =>
      multiply(this.#programs, from, backend.buffer(encoder.wEnc), [0, rows, d, latents], z.buffer),
    );
    const rowStart = this.#programs.output<Tensor1D>([rows + 1], 'int32');
    const total = this.#programs.output<Scalar>([], 'int32');
    this.#programs.scratch(4 * rows, (counts) => {
      this.#programs.run(file, 'countAbove', [rows, threads], [z.buffer, bias, ...bars, counts]);
      const most = guess?.most ?? mostEntries;
      this.#byLatent.prefixSums(counts, rowStart.buffer, total.buffer, rows, Math.min(most, mostEntries));
    });
    const form = guess ?? this.#rightForm(rows * latents, total.tensor.dataSync()[0]);
    if (!guess) total.tensor.dispose();
    const listed = { count: guess ? total.tensor : form.most, least: form.least, most: form.most };
    if (form.kind === 'dense') {
      rowStart.tensor.dispose();
      this.#programs.run(file, 'addBias', [rows, threads], [z.buffer, bias, latents]);
      return { kind: 'dense', rows, latents, values: z.tensor, listed };
    }
    const indices = this.#programs.output<Tensor1D>([form.most], 'int32');
    const values = this.#programs.output<Tensor1D>([form.most], 'float32');
    // Places that turn out to be too many are read by TF.js's ops on whole lists.
    if (guess) for (const { buffer } of [indices, values]) backend.fill(buffer, 0, form.most);
    const to = [rowStart.buffer, indices.buffer, values.buffer] as const;
    this.#programs.run(file, 'listAbove', [rows, threads], [z.buffer, bias, ...bars, ...to]);
    z.tensor.dispose();
    const list = { rowStart: rowStart.tensor, indices: indices.tensor, values: values.tensor };
    return { kind: 'sparse', rows, latents, ...list, listed };
  }

  /** Room for the candidates of a row where they are found by a product in bfloat16, null where they are not. */
  #capacity(expected: number, [rows, d, latents]: readonly [number, number, number]): number | null {
    const screening = this.#options.screening();
    if (!pays(screening, latents)) return null;
    const enough = screenCapacities.find((capacity) => rowsDiffer * expected <= rows * capacity);
    if (enough === undefined || enough === screenCapacity) return enough ?? null;
    const fits = 4 * d + 8 * enough <= mostShared && expected <= screenedBelow * rows * latents;
    return fits || screening === 'always' ? enough : null;
  }

  /** The list, found by a product in bfloat16. */
  #screened(
    x: Tensor2D,
    encoder: Encoder,
    { capacity, ...bars }: { threshold: Tensor1D | null; bandwidth: number; capacity: number },
    { least, most }: EntriesForm,
  ): Entries {
    const programs = this.#programs;
    const [rows] = x.shape;
    const [latents] = encoder.wEnc.shape;
    const rowStart = programs.output<Tensor1D>([rows + 1], 'int32');
    const indices = programs.output<Tensor1D>([most], 'int32');
    const values = programs.output<Tensor1D>([most], 'float32');
    const total = programs.output<Scalar>([], 'int32');
    // Places that turn out to be too many are read by TF.js's ops on whole lists.
    for (const { buffer } of [indices, values]) programs.backend.fill(buffer, 0, most);
    const { blockBytes } = this.#options;
    const listing = { programs, copies: this.#copies, blockBytes, capacity };
    listRows(listing, x, encoder, { kind: 'thresholds', ...bars }, (listed) => {
      this.#byLatent.prefixSums(listed.listed, rowStart.buffer, total.buffer, rows, most);
      listed.move(rowStart.buffer, indices.buffer, values.buffer);
    });
    const list = { rowStart: rowStart.tensor, indices: indices.tensor, values: values.tensor };
    return { kind: 'sparse', rows, latents, ...list, listed: { count: total.tensor, least, most } };
  }

  /** The most entries, of `all`, that are kept as a list. Below nothing, so that an empty list is a matrix too, where one was asked for. */
  #listedUpTo(all: number): number {
    return { auto: Math.floor(denseAbove * all), sparse: Math.min(all, mostEntries), dense: -1 }[
      this.#options.choice.path
    ];
  }

  #rightForm(all: number, count: number): EntriesForm {
    // More than 32 bits count are more than any list has.
    const dense = count < 0 || count > this.#listedUpTo(all);
    return { kind: dense ? 'dense' : 'sparse', least: count, most: count };
  }

  /** The form for about this many entries; null where the count is too near the limit to decide. */
  #guess(rows: number, latents: number, expected: number): EntriesForm | null {
    const all = rows * latents;
    const limit = this.#listedUpTo(all);
    const room = ampleRoom(rows, expected);
    const guess = guessedForm({ all, limit, room, expected });
    // A list with room for everything can't be too short.
    return guess ?? (Math.min(limit, room) >= all ? { kind: 'sparse', least: 0, most: all } : null);
  }
}
