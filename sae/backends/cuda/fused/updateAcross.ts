/** What an update needs to know of the latents of other devices. */
import type { DeviceBuffer } from '../deviceMemory.ts';
import { type Collectives, spreadFile } from './collectives.ts';
import type { DeviceSums } from './deviceSums.ts';
import type { FusedPrograms } from './fusedPrograms.ts';

const threads = 1024;

type Vector = readonly [numbers: DeviceBuffer | bigint, length: number];

export class UpdateAcross {
  readonly #programs: FusedPrograms;
  readonly #sums: DeviceSums;
  readonly #collectives: Collectives;

  constructor(programs: FusedPrograms, sums: DeviceSums, collectives: Collectives) {
    this.#programs = programs;
    this.#sums = sums;
    this.#collectives = collectives;
  }

  /** Whether this device adds to sums what is the same on all, and therefore must be added once. */
  get addsShared(): boolean {
    return this.#collectives.rank === 0;
  }

  /** out [length] is the sum over devices of what `write` leaves in a buffer. */
  sum(out: DeviceBuffer, length: number, write: (to: DeviceBuffer) => void): void {
    this.#programs.scratch(4 * this.#collectives.room(length), (sum) => {
      write(sum);
      this.#collectives.sum(sum, length);
      this.#programs.backend.copy(sum, out, 4 * length);
    });
  }

  /** As `clipScale` of DeviceSums, of the squares and vectors of all devices; `more` is the same on all. */
  clipScale(
    squares: DeviceBuffer,
    count: number,
    vectors: Vector,
    more: Vector,
    clipNorm: number,
    clip: DeviceBuffer,
  ): void {
    const { size } = this.#collectives;
    this.#programs.scratch(4, (own) =>
      this.#programs.scratch(4 * size, (all) => {
        const args = [squares, count, ...vectors, own];
        this.#programs.run(spreadFile, 'squaresOfShare', [1, threads], args);
        this.#collectives.allGather(own, all, 1);
        this.#sums.clipScale(all, size, [all, 0], more, clipNorm, clip);
      }),
    );
  }
}
