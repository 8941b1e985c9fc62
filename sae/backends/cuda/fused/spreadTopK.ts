/** The k largest pre-activations of each row over the latents of several devices, of which each lists its own. */
import type { Encoder, FusedKernels } from '../../../ops/fusedKernels.ts';
import { disposeEntries, type SparseEntries, sparseEntries } from '../../../ops/sparseEntries.ts';
import type { Tensor1D, Tensor2D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import { blocksFor, type Collectives, spreadFile, spreadThreads } from './collectives.ts';
import type { EntriesByLatent } from './entriesByLatent.ts';
import type { FusedPrograms } from './fusedPrograms.ts';

export interface SpreadTopKParts {
  readonly programs: FusedPrograms;
  readonly byLatent: EntriesByLatent;
  readonly collectives: Collectives;
  /** The kernels that choose among the latents of one device. */
  readonly own: Pick<FusedKernels, 'topKEncode'>;
}

/** `among`, ascending, are places in the share. Every device sends k candidates a row, so that none has to send more. */
export function spreadTopK(
  { programs, byLatent, collectives, own }: SpreadTopKParts,
  x: Tensor2D,
  encoder: Encoder,
  k: number,
  among: Int32Array | undefined,
): SparseEntries {
  const { backend } = programs;
  const { rank, size } = collectives;
  const [rows] = x.shape;
  const [latents] = encoder.wEnc.shape;
  const have = Math.min(k, among?.length ?? latents);
  const candidates = have > 0 ? own.topKEncode(x, encoder, have, among) : noEntries(rows, latents);
  const values = backend.buffer(candidates.values);
  const result = programs.scratch(4 * size * rows * k, (all) =>
    programs.scratch(4 * rows, (bars) =>
      programs.scratch(4 * rows, (ties) =>
        programs.scratch(4 * rows, (kept) => {
          withPadding(values, have, (padded) => collectives.allGather(padded, all, rows * k));
          const byRow = [rows, spreadThreads] as const;
          programs.run(spreadFile, 'barOfRanks', byRow, [all, rank, size, rows, k, bars, ties, kept]);
          const rowStart = programs.output<Tensor1D>([rows + 1], 'int32');
          const places = Math.max(1, rows * have);
          const indices = programs.output<Tensor1D>([places], 'int32');
          const chosen = programs.output<Tensor1D>([places], 'float32');
          byLatent.prefixSums(kept, rowStart.buffer, null, rows, rows * have);
          programs.run(spreadFile, 'listOwn', byRow, [
            backend.buffer(candidates.indices), values, have, bars, ties, rowStart.buffer, indices.buffer, chosen.buffer,
          ]); // prettier-ignore
          const list = { rowStart: rowStart.tensor, indices: indices.tensor, values: chosen.tensor };
          return { kind: 'sparse' as const, rows, latents, ...list };
        }),
      ),
    ),
  );
  disposeEntries(candidates);
  return result;

  /** Rows of k numbers from rows of `count`, with 0 behind. */
  function withPadding(from: DeviceBuffer, count: number, use: (padded: DeviceBuffer) => void): void {
    if (count === k) return use(from);
    programs.scratch(4 * rows * k, (padded) => {
      const blocks = blocksFor(rows * k);
      programs.run(spreadFile, 'padRows', [blocks, spreadThreads], [from, padded, rows * k, count, k]);
      use(padded);
    });
  }
}

/** Of a share without any of the latents that are chosen among; the lists have a place that nothing reads. */
function noEntries(rows: number, latents: number): SparseEntries {
  return sparseEntries(latents, new Int32Array(rows + 1), new Int32Array(1), new Float32Array(1));
}
