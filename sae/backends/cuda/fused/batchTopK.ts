/**
 * The largest pre-activations of a whole batch, without waiting for the device: the list has room for as many as were asked for,
 * and `rowStart` says how many there are.
 */
import type { BatchChoice, BatchSelection, Encoder } from '../../../ops/fusedKernels.ts';
import type { Scalar, Tensor1D, Tensor2D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { Argument } from '../programs.ts';
import type { EntriesByLatent } from './entriesByLatent.ts';
import { type Listing, listRows } from './listedRows.ts';
import { centred, checkEntries, multiply } from './preActivations.ts';
import type { Screening } from '../screening.ts';
import { pays, screenCapacity } from './screen.ts';

const file = 'fusedBatch.cu';
const threads = 256;
/** See source/rowSelect.cuh. */
const [digits, digitValues] = [3, 2048];
/** Blocks of the kernel that counts digits; each adds what it has counted to the counts of all. */
const countingBlocks = 528;
/** Screening lists up to `screenCapacity` latents of a row; where this many times the mean is more, it would often fail. */
const rowsDiffer = 4;

export interface BatchTopKParts extends Omit<Listing, 'capacity'> {
  readonly byLatent: EntriesByLatent;
  screening(): Screening;
}

const wordOf = ({ address }: DeviceBuffer, word: number): DeviceBuffer => ({
  address: address + BigInt(4 * word),
  bytes: 4,
});

export function batchTopK(
  parts: BatchTopKParts,
  x: Tensor2D,
  encoder: Encoder,
  { count }: BatchSelection,
): BatchChoice {
  const { programs, byLatent, screening, across } = parts;
  const { backend } = programs;
  const [rows, d] = x.shape;
  const [latents] = encoder.wEnc.shape;
  checkEntries(count);
  if (pays(screening(), across?.widest ?? latents) && rowsDiffer * count <= rows * screenCapacity) {
    const bars = { kind: 'largest', count } as const;
    return listRows({ ...parts, capacity: screenCapacity }, x, encoder, bars, (listed) =>
      chosen(listed.rows),
    );
  }
  return programs.scratch(4 * rows * latents, (z) => {
    centred(programs, x, encoder, (from) =>
      multiply(programs, from, backend.buffer(encoder.wEnc), [0, rows, d, latents], z),
    );
    programs.run('fusedSelect.cu', 'addBias', [rows, 512], [z, backend.buffer(encoder.bEnc), latents]);
    return chosen([null, null, null, null, z]);
  });

  /** Chooses from what has been listed of each row, or of all pre-activations. */
  function chosen(listed: readonly Argument[]): BatchChoice {
    const least = programs.output<Scalar>([], 'float32');
    const rowStart = programs.output<Tensor1D>([rows + 1], 'int32');
    const indices = programs.output<Tensor1D>([count], 'int32');
    const values = programs.output<Tensor1D>([count], 'float32');
    const state = backend.scratch(8);
    backend.fill(state, 0, 1);
    backend.fill(wordOf(state, 1), count, 1);
    const from = [...listed, screenCapacity, state];
    const byRow = (name: string, args: readonly Argument[]) =>
      programs.run(file, name, [rows, threads], [...from, ...args]);
    programs.scratch(4 * digitValues, (counts) => {
      backend.fill(counts, 0, digitValues);
      for (let digit = 0; digit < digits; digit++) {
        const grid = [Math.min(rows, countingBlocks), threads] as const;
        programs.run(file, 'countDigits', grid, [...from, digit, rows, latents, counts]);
        across?.collectives.sumIntegers(counts, digitValues);
        programs.run(file, 'chooseDigit', [1, threads], [counts, state, digit, least.buffer]);
      }
    });
    const [above, equal, before, kept] = Array.from({ length: 4 }, () => backend.scratch(4 * (rows + 1)));
    byRow('countKept', [latents, above, equal]);
    // No more than `count` equal ones are kept, so that more of them need not be counted.
    if (across) across.collectives.countsBefore(equal, before, rows, byLatent, count);
    else byLatent.prefixSums(equal, before, null, rows, count);
    const grid = [Math.ceil(rows / threads), threads] as const;
    programs.run(file, 'keptByRow', grid, [state, above, equal, before, kept, rows]);
    byLatent.prefixSums(kept, rowStart.buffer, null, rows, count);
    byRow('listKept', [before, rowStart.buffer, latents, indices.buffer, values.buffer]);
    for (const buffer of [above, equal, before, kept] satisfies DeviceBuffer[]) backend.give(buffer);
    backend.give(state);
    const list = { rowStart: rowStart.tensor, indices: indices.tensor, values: values.tensor };
    return { entries: { kind: 'sparse', rows, latents, ...list }, least: least.tensor };
  }
}
