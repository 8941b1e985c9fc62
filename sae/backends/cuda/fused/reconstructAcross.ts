/** What the entries of several devices decode to together. */
import type { Reconstruction } from '../../../ops/fusedKernels.ts';
import type { Entries, SparseEntries } from '../../../ops/sparseEntries.ts';
import type { Scalar, Tensor1D, Tensor2D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { Collectives } from './collectives.ts';
import type { DeviceSums } from './deviceSums.ts';
import type { FusedPrograms } from './fusedPrograms.ts';
import type { Reconstructions } from './reconstruct.ts';

export class ReconstructionsAcross {
  readonly #programs: FusedPrograms;
  readonly #sums: DeviceSums;
  readonly #own: Reconstructions;
  readonly #collectives: Collectives;

  /** `own` are those of this device. */
  constructor(programs: FusedPrograms, sums: DeviceSums, own: Reconstructions, collectives: Collectives) {
    this.#programs = programs;
    this.#sums = sums;
    this.#own = own;
    this.#collectives = collectives;
  }

  decode(entries: SparseEntries, w: Tensor2D): Tensor2D {
    const out = this.#programs.output<Tensor2D>([entries.rows, w.shape[1]], 'float32');
    const { size } = out.tensor;
    this.#sum(
      size,
      (sum) => this.#own.decodeTo(sum, entries, null, w),
      (sum) => this.#programs.backend.copy(sum, out.buffer, 4 * size),
    );
    return out.tensor;
  }

  reconstruct(
    entries: Entries,
    threshold: Tensor1D | null,
    { wDec, bias }: { readonly wDec: Tensor2D; readonly bias: Tensor1D | null },
    target: Tensor2D,
  ): Reconstruction {
    const error = this.#programs.output<Tensor2D>(target.shape, 'float32');
    const decode = (sum: DeviceBuffer) => this.#own.decodeTo(sum, entries, threshold, wDec);
    const squaredError = this.errorOf(decode, bias, target, error.buffer);
    return { error: error.tensor, dots: this.#own.dotsWith(entries, error.tensor, wDec), squaredError };
  }

  /** error [rows, d] = what `decode` writes on all devices, added up, + bias − target; the sum of its squares. */
  errorOf(
    decode: (sum: DeviceBuffer) => void,
    bias: Tensor1D | null,
    target: Tensor2D,
    error: DeviceBuffer,
  ): Scalar {
    const [rows, d] = target.shape;
    const { backend } = this.#programs;
    return this.#sum(rows * d, decode, (sum) =>
      this.#programs.scratch(4 * rows, (squares) => {
        const args = [sum, this.#programs.maybe(bias), backend.buffer(target), error, squares, d];
        this.#programs.runRows({ file: 'fusedRows.cu', name: 'errorOfSum' }, d, { blocks: rows }, args);
        return this.#sums.total(squares, rows);
      }),
    );
  }

  /** Calls `use` with the sum over all devices of what `write` leaves, [count]. */
  #sum<T>(count: number, write: (to: DeviceBuffer) => void, use: (sum: DeviceBuffer) => T): T {
    return this.#programs.scratch(4 * this.#collectives.room(count), (sum) => {
      write(sum);
      this.#collectives.sum(sum, count);
      return use(sum);
    });
  }
}
