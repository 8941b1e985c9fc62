/**
 * The largest pre-activations of a whole batch, without waiting for the device: the list has room for as many as were asked for,
 * and `rowStart` says how many there are.
 */
import type { BatchChoice, BatchSelection, Encoder } from '../../../ops/fusedKernels.ts';
import { type Scalar, type Tensor1D, tf, type Tensor2D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { EntriesByLatent } from './entriesByLatent.ts';
import type { FusedPrograms } from './fusedPrograms.ts';
import { centred, checkEntries, multiply } from './preActivations.ts';

const file = 'fusedSelect.cu';
const threads = 512;
/** See source/rowSelect.cuh. */
const [digits, digitValues] = [3, 2048];
/** Blocks of the kernel that counts digits; each adds what it has counted to the counts of all. */
const countingBlocks = 528;

export function batchTopK(
  programs: FusedPrograms,
  byLatent: EntriesByLatent,
  x: Tensor2D,
  encoder: Encoder,
  { count }: BatchSelection,
): BatchChoice {
  const { backend } = programs;
  const [rows, d] = x.shape;
  const [latents] = encoder.wEnc.shape;
  checkEntries(count);
  const bias = backend.buffer(encoder.bEnc);
  const least = programs.output<Scalar>([], 'float32');
  const rowStart = programs.output<Tensor1D>([rows + 1], 'int32');
  const indices = programs.output<Tensor1D>([count], 'int32');
  const values = programs.output<Tensor1D>([count], 'float32');
  const start = tf.tensor1d([0, count], 'int32');
  const state = backend.buffer(start);
  const byRow = (name: string, args: readonly (DeviceBuffer | number | null)[]) =>
    programs.run(file, name, [rows, threads], args);
  programs.scratch(4 * rows * latents, (z) => {
    centred(programs, x, encoder, (from) =>
      multiply(programs, from, backend.buffer(encoder.wEnc), [0, rows, d, latents], z),
    );
    programs.scratch(4 * digitValues, (counts) => {
      backend.fill(counts, 0, digitValues);
      for (let digit = 0; digit < digits; digit++) {
        const grid = [Math.min(rows, countingBlocks), threads] as const;
        programs.run(file, 'countDigits', grid, [z, bias, state, digit, rows, latents, counts]);
        programs.run(file, 'chooseDigit', [1, threads], [counts, state, digit, least.buffer]);
      }
    });
    const each = 4 * (rows + 1);
    programs.scratch(each, (above) =>
      programs.scratch(each, (equal) =>
        programs.scratch(each, (before) =>
          programs.scratch(each, (kept) => {
            byRow('countKept', [z, bias, state, latents, above, equal]);
            // No more than `count` equal ones are kept, so that more of them need not be counted.
            byLatent.prefixSums(equal, before, null, rows, count);
            const grid = [Math.ceil(rows / threads), threads] as const;
            programs.run(file, 'keptByRow', grid, [state, above, equal, before, kept, rows]);
            byLatent.prefixSums(kept, rowStart.buffer, null, rows, count);
            byRow('listKept', [
              z,
              bias,
              state,
              before,
              rowStart.buffer,
              latents,
              indices.buffer,
              values.buffer,
            ]);
          }),
        ),
      ),
    );
  });
  start.dispose();
  const list = { rowStart: rowStart.tensor, indices: indices.tensor, values: values.tensor };
  return { entries: { kind: 'sparse', rows, latents, ...list }, least: least.tensor };
}
