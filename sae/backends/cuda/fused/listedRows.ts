/** Pre-activations above a bar, listed row by row before anyone knows how many there are; see source/fusedListed.cu. */
import type { Encoder } from '../../../ops/fusedKernels.ts';
import type { Tensor1D, Tensor2D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { Argument } from '../programs.ts';
import type { Collectives } from './collectives.ts';
import type { EncoderCopies } from './encoderCopies.ts';
import type { FusedPrograms } from './fusedPrograms.ts';
import { groupGrid, groupsOf, screen, screenDefine, type Screened } from './screen.ts';

const file = 'fusedListed.cu';
const threads = 256;
/** See source/rowSelect.cuh. */
const digitValues = 2048;
/** Blocks of the kernel that counts lower bounds, of which each adds its counts to those of all. */
const countingBlocks = 1056;

/** The bars: those of thresholds, or one number such that at least `count` pre-activations of the batch reach it. */
export type Bars =
  | { readonly kind: 'thresholds'; readonly threshold: Tensor1D | null; readonly bandwidth: number }
  | { readonly kind: 'largest'; readonly count: number };

export interface ListedRows {
  /** The arguments of kernels that read rows: slotLatents, slotValues, listed, fullOf, full. */
  readonly rows: readonly Argument[];
  /** [rows]: how many are above the bars. */
  readonly listed: DeviceBuffer;
  /** Moves what is above the thresholds to lists that `rowStart` [rows + 1] parts. */
  move(rowStart: DeviceBuffer, indices: DeviceBuffer, values: DeviceBuffer): void;
}

/** Other devices that have further latents of the same rows. */
export interface Across {
  readonly collectives: Collectives;
  /** The most latents that one of them has: what all must decide alike is decided by it. */
  readonly widest: number;
}

export interface Listing {
  readonly programs: FusedPrograms;
  readonly copies: EncoderCopies;
  /** Most bytes of screening pre-activations in memory at once. */
  readonly blockBytes: number;
  /** Most candidates of a row; one of `screenCapacities`. */
  readonly capacity: number;
  /** The largest are then those of all devices. */
  readonly across?: Across;
}

export function listRows<T>(
  { programs, copies, blockBytes, capacity, across }: Listing,
  x: Tensor2D,
  encoder: Encoder,
  bars: Bars,
  use: (listed: ListedRows) => T,
): T {
  const { backend } = programs;
  const [rows, d] = x.shape;
  const [latents] = encoder.wEnc.shape;
  const kernel = (name: string) => ({
    file,
    name,
    define: { ...screenDefine(d, threads), CAPACITY: capacity },
  });
  const run = (name: string, blocks: number, args: readonly Argument[], sharedRows = 0) =>
    programs.runRows(kernel(name), d, { blocks, sharedRows, threads }, args);
  const taken: DeviceBuffer[] = [];
  const take = (bytes: number) => {
    const buffer = backend.scratch(bytes);
    taken.push(buffer);
    return buffer;
  };
  try {
    const [slotLatents, slotValues] = [take(4 * rows * capacity), take(4 * rows * capacity)];
    const [listed, fullOf, flagged] = [take(4 * rows), take(4 * rows), take(4 * (rows + 1))];
    // Of this memory only rows that screening doesn't decide are used.
    const full = take(4 * rows * latents);
    const threshold = bars.kind === 'thresholds' ? programs.maybe(bars.threshold) : null;
    const bandwidth = bars.kind === 'thresholds' ? bars.bandwidth : 0;
    const groupBars = threshold ? take(4 * groupsOf(latents)) : null;
    const oneBar = bars.kind === 'largest' ? take(4) : null;
    if (groupBars) {
      const [blocks] = groupGrid(latents);
      run('lowestBars', blocks, [threshold, bandwidth, groupBars, latents]);
    }
    screen(programs, copies, x, encoder, blockBytes, (by) => {
      backend.fill(flagged, 0, 1);
      const above = (screened: DeviceBuffer, first: number, count: number) =>
        run('screenedAbove', count, [
          screened, by.width, first, ...by.operands, by.inputNorms, by.latentNorms, by.groupNorms, groupBars, threshold,
          bandwidth, oneBar, by.slack, latents, d, slotLatents, slotValues, listed, fullOf, flagged,
        ], 1); // prettier-ignore
      if (bars.kind === 'largest' && oneBar) findBar(by, bars.count, oneBar, above);
      else by.eachBlock(above);
      const blocks = Math.min(rows, backend.programs.architecture.multiprocessors);
      run('fullRows', blocks, [
        flagged, ...by.operands, threshold, bandwidth, oneBar, latents, d, full, listed,
      ], 1); // prettier-ignore
    });
    const source = [slotLatents, slotValues, listed, fullOf, full];
    return use({
      rows: source,
      listed,
      move: (rowStart, indices, values) =>
        run('moveListed', rows, [...source, threshold, bandwidth, rowStart, latents, indices, values]),
    });
  } finally {
    for (const buffer of taken) backend.give(buffer);
  }

  /** Finds the bar, and visits the blocks; where there are several, their products are computed twice. */
  function findBar(
    by: Screened,
    count: number,
    bar: DeviceBuffer,
    visit: (screened: DeviceBuffer, first: number, rows: number) => void,
  ): void {
    programs.scratch(4 * digitValues, (counts) => {
      backend.fill(counts, 0, digitValues);
      const countIn = (screened: DeviceBuffer, first: number, own: number) =>
        run('countLowerBounds', Math.min(own, countingBlocks), [
          screened, by.width, first, own, by.inputNorms, by.groupNorms, by.slack, latents, counts,
        ]); // prettier-ignore
      const choose = () => {
        across?.collectives.sumIntegers(counts, digitValues);
        run('barOfCounts', 1, [counts, count, bar]);
      };
      let blocks = 0;
      by.eachBlock((screened, first, own) => {
        countIn(screened, first, own);
        blocks++;
        if (own < rows) return;
        choose();
        visit(screened, first, own);
      });
      if (blocks === 1) return;
      choose();
      by.eachBlock(visit);
    });
  }
}
