/**
 * The largest pre-activations of a whole batch, without waiting for the device: the list has room for as many as were asked for,
 * and `rowStart` says how many there are.
 */
import type { BatchChoice, BatchSelection, Encoder } from '../../ops/fusedKernels.ts';
import { tf, type Scalar, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { chooseDigit, countDigits, countKept, fillKept, keptByRow, keptByRowGroups, selectionCounters, selectionPasses } from './kernels/batchSelect.ts'; // prettier-ignore
import { prefixSums } from './kernels/select.ts';
import type { Programs } from './programs.ts';
import type { RowBlock } from './rowBlocks.ts';
import type { EachBlock } from './thresholdSelect.ts';

export function batchTopK(
  device: { readonly backend: DeviceBackend; readonly programs: Programs; readonly eachBlock: EachBlock },
  x: Tensor2D,
  encoder: Encoder,
  { count }: BatchSelection,
): BatchChoice {
  const { backend, programs, eachBlock } = device;
  const [rows] = x.shape;
  const [latents] = encoder.wEnc.shape;
  const integers = (size: number) => backend.scratch([size], 'int32') as Tensor1D;
  return tf.tidy(() => {
    const blocks: { z: Tensor2D; block: RowBlock & { latents: number } }[] = [];
    eachBlock(x, encoder, (z, block) => blocks.push({ z, block: { ...block, latents } }));
    const state = tf.tensor1d([0, count], 'int32');
    const counters = integers(selectionCounters);
    backend.clear(counters);
    const least = backend.scratch([], 'float32') as Scalar;
    for (let pass = 0; pass < selectionPasses; pass++) {
      for (const { z, block } of blocks)
        programs.run(countDigits(block, pass), [z, state, counters], block.rows);
      programs.run(chooseDigit(pass), [counters, state, least], 1);
    }
    const [above, equal, before, kept] = [rows, rows, rows + 1, rows].map(integers);
    for (const { z, block } of blocks) programs.run(countKept(block), [z, state, above, equal], block.rows);
    programs.run(prefixSums(rows), [equal, before], 1);
    programs.run(keptByRow(rows), [state, above, before, kept], keptByRowGroups(rows));
    const [rowStart, indices] = [integers(rows + 1), integers(count)];
    const values = backend.scratch([count], 'float32') as Tensor1D;
    programs.run(prefixSums(rows), [kept, rowStart], 1);
    for (const { z, block } of blocks)
      programs.run(fillKept(block), [z, state, before, rowStart, indices, values], block.rows);
    return { entries: { kind: 'sparse', rows, latents, rowStart, indices, values } as const, least };
  });
}
