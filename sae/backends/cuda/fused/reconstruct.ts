/** What entries decode to, and products with their rows of W_dec; see source/fusedReconstruct.cu. */
import type { Entries, SparseEntries } from '../../../ops/sparseEntries.ts';
import type { NestedReconstruction, Reconstruction } from '../../../ops/fusedKernels.ts';
import { latentActivations } from '../../../ops/denseActivations.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { DeviceSums } from './deviceSums.ts';
import type { EncoderCopies } from './encoderCopies.ts';
import type { FusedPrograms } from './fusedPrograms.ts';

const file = 'fusedReconstruct.cu';
const inFull = { file, define: { NARROW: 0 } };

export class Reconstructions {
  readonly #programs: FusedPrograms;
  readonly #sums: DeviceSums;
  readonly #copies: EncoderCopies;

  constructor(programs: FusedPrograms, sums: DeviceSums, copies: EncoderCopies) {
    this.#programs = programs;
    this.#sums = sums;
    this.#copies = copies;
  }

  decode(entries: SparseEntries, w: Tensor2D): Tensor2D {
    const d = w.shape[1];
    const out = this.#programs.output<Tensor2D>([entries.rows, d], 'float32');
    const to = [out.buffer, null, null, d] as const;
    this.#programs.runRows({ ...inFull, name: 'reconstruct' }, d, { blocks: entries.rows, sharedRows: 1 }, [
      ...this.#list(entries), null, 1, this.#programs.backend.buffer(w), null, null, ...to,
    ]); // prettier-ignore
    return out.tensor;
  }

  /** Writes what the entries decode to, [rows, d], to the beginning of `out`. */
  decodeTo(out: DeviceBuffer, entries: Entries, threshold: Tensor1D | null, wDec: Tensor2D): void {
    const { backend } = this.#programs;
    const d = wDec.shape[1];
    if (entries.kind === 'dense') {
      const decoded = tf.tidy(() => tf.matMul(latentActivations(entries.values, threshold), wDec));
      backend.copy(backend.buffer(decoded), out, 4 * entries.rows * d);
      decoded.dispose();
      return;
    }
    const { kernel, w } = this.#decoder(wDec);
    this.#programs.runRows({ ...kernel, name: 'reconstruct' }, d, { blocks: entries.rows, sharedRows: 1 }, [
      ...this.#list(entries), this.#programs.maybe(threshold), 0, w, null, null, out, null, null, d,
    ]); // prettier-ignore
  }

  /** error_b · W_dec,i for each entry (b, i), in the shape of the entries' values. */
  dotsWith(entries: Entries, error: Tensor2D, wDec: Tensor2D): Tensor1D | Tensor2D {
    if (entries.kind === 'dense') return tf.matMul<Tensor2D>(error, wDec, false, true);
    const { kernel, w } = this.#decoder(wDec);
    return this.#dotsBy(kernel, entries, error, w);
  }

  dots(entries: SparseEntries, g: Tensor2D, w: Tensor2D): Tensor1D {
    return this.#dotsBy(inFull, entries, g, this.#programs.backend.buffer(w));
  }

  #dotsBy(
    kernel: typeof inFull,
    { rows, rowStart, indices }: SparseEntries,
    g: Tensor2D,
    w: DeviceBuffer,
  ): Tensor1D {
    const d = g.shape[1];
    const out = this.#programs.output<Tensor1D>(indices.shape, 'float32');
    const [starts, places, rowsOfG] = [rowStart, indices, g].map((tensor) =>
      this.#programs.backend.buffer(tensor),
    );
    const launch = { blocks: rows, sharedRows: 1 };
    const args = [starts, places, rowsOfG, w, out.buffer, d];
    this.#programs.runRows({ ...kernel, name: 'sparseDots' }, d, launch, args);
    return out.tensor;
  }

  reconstruct(
    entries: Entries,
    threshold: Tensor1D | null,
    { wDec, bias }: { readonly wDec: Tensor2D; readonly bias: Tensor1D | null },
    target: Tensor2D,
  ): Reconstruction {
    const { backend } = this.#programs;
    const [rows, d] = target.shape;
    if (entries.kind === 'dense')
      return tf.tidy(() => {
        const decoded = tf.matMul(latentActivations(entries.values, threshold), wDec);
        const error = (bias ? decoded.add<Tensor2D>(bias) : decoded).sub<Tensor2D>(target);
        const dots = tf.matMul<Tensor2D>(error, wDec, false, true);
        return { error, dots, squaredError: this.#sums.squares(error) };
      });
    const error = this.#programs.output<Tensor2D>([rows, d], 'float32');
    const dots = this.#programs.output<Tensor1D>(entries.values.shape, 'float32');
    return this.#programs.scratch(4 * rows, (squares) => {
      const { kernel, w } = this.#decoder(wDec);
      this.#programs.runRows({ ...kernel, name: 'reconstruct' }, d, { blocks: rows, sharedRows: 1 }, [
        ...this.#list(entries), this.#programs.maybe(threshold), 0, w, this.#programs.maybe(bias),
        backend.buffer(target), error.buffer, dots.buffer, squares, d,
      ]); // prettier-ignore
      return { error: error.tensor, dots: dots.tensor, squaredError: this.#sums.total(squares, rows) };
    });
  }

  nested(
    entries: SparseEntries,
    prefixes: Int32Array,
    { wDec, bias }: { readonly wDec: Tensor2D; readonly bias: Tensor1D },
    target: Tensor2D,
  ): NestedReconstruction {
    const { backend } = this.#programs;
    const [rows, d] = target.shape;
    const errors = this.#programs.output<Tensor2D>([prefixes.length * rows, d], 'float32');
    const dots = this.#programs.output<Tensor1D>(entries.values.shape, 'float32');
    const ends = this.#programs.constant(prefixes);
    const { kernel, w } = this.#decoder(wDec);
    return this.#programs.scratch(4 * rows, (nested) =>
      this.#programs.scratch(4 * rows, (squares) => {
        this.#programs.runRows({ ...kernel, name: 'reconstructNested' }, d, { blocks: rows, sharedRows: 1 }, [
          ...this.#list(entries), ends, prefixes.length, w, backend.buffer(bias),
          backend.buffer(target), errors.buffer, dots.buffer, nested, squares, rows, d,
        ]); // prettier-ignore
        const [nestedError, squaredError] = [this.#sums.total(nested, rows), this.#sums.total(squares, rows)];
        return { errors: errors.tensor, dots: dots.tensor, nestedError, squaredError };
      }),
    );
  }

  /** W_dec as kernels read it: with storage bf16 its copy. */
  #decoder(wDec: Tensor2D): { kernel: { file: string; define: { NARROW: number } }; w: DeviceBuffer } {
    const { backend } = this.#programs;
    if (backend.storage === 'f32') return { kernel: inFull, w: backend.buffer(wDec) };
    return { kernel: { file, define: { NARROW: 1 } }, w: this.#copies.of(wDec, null).rows };
  }

  #list({ rowStart, indices, values }: SparseEntries) {
    return [rowStart, indices, values].map((tensor) => this.#programs.backend.buffer(tensor));
  }
}
