/**
 * What the devices of several processes do together, in order on the compute stream. Sums of numbers are made by our own kernel in the order of the
 * ranks, because NCCL promises none; so all get the same bits, and a repetition does too. Calls of NCCL are part of no graph (graph.ts), so that a device
 * whose step is launched as a whole meets one whose step is not.
 */
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { NcclRank } from '../nccl.ts';
import type { Argument } from '../programs.ts';
import type { EntriesByLatent } from './entriesByLatent.ts';
import type { FusedPrograms } from './fusedPrograms.ts';

export const spreadFile = 'fusedSpread.cu';
export const spreadThreads = 256;
const mostBlocks = 4096;

/** Enough blocks for `count` numbers, each of which goes on with the next of its own. */
export const blocksFor = (count: number): number => Math.min(mostBlocks, Math.ceil(count / spreadThreads));

export class Collectives {
  readonly rank: number;
  readonly size: number;
  readonly #nccl: NcclRank;
  readonly #programs: FusedPrograms;

  constructor(nccl: NcclRank, programs: FusedPrograms, { rank, size }: { rank: number; size: number }) {
    this.#nccl = nccl;
    this.#programs = programs;
    this.rank = rank;
    this.size = size;
  }

  /** `to` [ranks, count] gets what every rank has in `from` [count], words of 4 bytes. */
  allGather(from: DeviceBuffer, to: DeviceBuffer, count: number): void {
    this.#around('ncclAllGather', (stream) =>
      this.#nccl.allGather(Number(from.address), Number(to.address), count, stream),
    );
  }

  /** values [count], int32, become the sums over the ranks. */
  sumIntegers(values: DeviceBuffer, count: number): void {
    this.#around('ncclAllReduce', (stream) => this.#nccl.sumIntegers(Number(values.address), count, stream));
  }

  /** How many numbers a buffer must have room for, so that `sum` can cut it into equal slices. */
  room(count: number): number {
    return Math.ceil(count / this.size) * this.size;
  }

  /**
   * values [count], float32, become the sums over the ranks, in their order; the buffer has room for `room(count)`. Every rank sums one slice and sends it to
   * all, so that each receives 2·(ranks − 1)/ranks times the vector.
   */
  sum(values: DeviceBuffer, count: number): void {
    const { rank, size } = this;
    if (size === 1) return;
    const slice = this.room(count) / size;
    const at = (buffer: DeviceBuffer, of: number) => Number(buffer.address) + 4 * slice * of;
    const others = Array.from({ length: size }, (_, other) => other).filter((other) => other !== rank);
    this.#programs.scratch(4 * slice * size, (received) => {
      this.#around('ncclSend', (stream) =>
        this.#nccl.exchange(
          others,
          { from: (peer) => at(values, peer), to: (peer) => at(received, peer), count: slice },
          stream,
        ),
      );
      const own = values.address + BigInt(4 * slice * rank);
      const args = [own, received, rank, size, slice];
      this.#programs.run(spreadFile, 'sumOfRanks', [blocksFor(slice), spreadThreads], args);
    });
    this.#around('ncclAllGather', (stream) =>
      this.#nccl.allGather(at(values, rank), at(values, 0), slice, stream),
    );
  }

  /**
   * Of the rows' own counts [rows] of something, before [rows] is how many of it all ranks have in lower rows, and lower ranks in the same row. None
   * above `most` has to be right.
   */
  countsBefore(
    own: DeviceBuffer,
    before: DeviceBuffer,
    rows: number,
    byLatent: EntriesByLatent,
    most: number,
  ): void {
    const { rank, size } = this;
    const programs = this.#programs;
    const run = (name: string, args: readonly Argument[]) =>
      programs.run(spreadFile, name, [blocksFor(rows), spreadThreads], args);
    programs.scratch(4 * rows * size, (all) =>
      programs.scratch(4 * rows, (total) =>
        programs.scratch(4 * rows, (lower) => {
          this.allGather(own, all, rows);
          run('totalsOfRanks', [all, rank, size, rows, total, lower]);
          byLatent.prefixSums(total, before, null, rows, most);
          run('addIntegers', [before, lower, rows]);
        }),
      ),
    );
  }

  #around(label: string, start: (stream: number) => void): void {
    const { device, programs } = this.#programs.backend;
    device.outsideOfGraphs(() => {
      device.driver.enter();
      programs.around(label, () => start(device.stream));
    });
  }
}
