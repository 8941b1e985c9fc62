/**
 * With `--storage f16`, a training step reads the operands that it reads many times from copies in 16 bits: both
 * matrices, the batch (as the encoder sees it, minus its centre) and the errors. Sums are computed in 32 bits. An entry of a
 * list is used four times, when it is decoded, multiplied with the error, and in the gradients of both matrices; it reads 8·d
 * bytes instead of 16·d, and the encoder's product reads half as much too. A weight takes 14 bytes of memory instead of 12.
 *
 * These stay in 32 bits: the parameters and Adam's moments, which add up many small steps, and so checkpoints; operands that are
 * small or used once, which are biases, thresholds, listed pre-activations, the result of the product, and x and the error where
 * they are subtracted or squared; the products of matrices that replace lists while more than a thirteenth of all
 * latents are listed; and TF.js's autodiff. The rows of W_enc that AuxK gathers, those of dead latents, are gathered in
 * 32 bits and converted at each step.
 *
 * A copy belongs to the contents of one tensor minus those of one centre. The backend reports when either is changed in place
 * or its memory released, and the copy is then dropped; assigning to a variable gives it other memory. So
 * no copy is ever stale, and a missing copy is made when it is needed. Only the kernel that updates a matrix from a list
 * writes the copy together with the matrix.
 *
 * half.test.ts compares results with what rounding to 11 bits explains, and halfCopies.test.ts compares whole runs with those in
 * 32 bits. On lavapipe the mean loss of 60 steps was off by 1·10⁻⁴ (TopK with AuxK), 2·10⁻⁷ (ReLU) and 2·10⁻³ (JumpReLU,
 * whose thresholds are trained by the few values in a narrow window), and that of single steps, which sometimes choose other
 * latents, by up to 5 %.
 */
import type { Tensor, Tensor1D, Tensor2D, Tf } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { errorToHalf, errorUnits, toHalf, toHalfGroups } from './kernels/half.ts';
import type { Source } from './kernels/rowUpdate.ts';
import type { Programs, Storage } from './programs.ts';

/** A matrix in the form in which a kernel reads it from memory. */
export interface Stored {
  readonly tensor: Tf.TensorInfo;
  readonly storage: Storage;
  /** Rows and columns. */
  readonly shape: readonly [number, number];
  /** [columns]: a vector that the kernel still has to subtract from each row; null if there is none. */
  readonly centre: Tensor1D | null;
}

export const inFull = (x: Tensor2D, centre: Tensor1D | null = null): Stored => ({
  tensor: x,
  storage: 'f32',
  shape: x.shape,
  centre,
});

/** The errors of all loss terms in the form in which the update of W_dec reads them. */
export interface StoredErrors {
  readonly kind: Extract<Source, { kind: 'decoder' }>['errors'];
  readonly tensors: readonly Tensor[];
  /** Number of rows of the single tensor of `halves`. */
  readonly rows?: number;
}

type DataId = Tf.TensorInfo['dataId'];

interface Copy {
  readonly of: DataId;
  readonly centre: DataId | null;
  readonly halves: Tf.TensorInfo;
}

export class HalfCopies {
  readonly #backend: DeviceBackend;
  readonly #programs: Programs;
  /** 'f16' only where the device has the feature `shader-f16`. */
  storage: Storage;
  /** The copies that exist: a few for each dictionary in training. */
  #copies: readonly Copy[] = [];

  constructor(backend: DeviceBackend, programs: Programs, storage: Storage = 'f32') {
    this.#backend = backend;
    this.#programs = programs;
    this.storage = storage;
    backend.onChange((dataId) => this.#giveUp(dataId));
  }

  /** x − centre in the form in which kernels read it; valid as long as the contents of both stay the same. */
  stored(x: Tensor2D, centre: Tensor1D | null = null): Stored {
    if (this.storage === 'f32') return inFull(x, centre);
    const id = centre?.dataId ?? null;
    const known = this.#copies.find((copy) => copy.of === x.dataId && copy.centre === id);
    const halves = known?.halves ?? this.#convert(x, centre);
    if (!known) this.#copies = [...this.#copies, { of: x.dataId, centre: id, halves }];
    return { tensor: halves, storage: 'f16', shape: x.shape, centre: null };
  }

  /** The errors of one or two loss terms; in one tensor those of the second begin at row `secondErrors`. New tensors belong to the surrounding tidy. */
  errors(errors: readonly Tensor2D[], secondErrors: number): StoredErrors {
    if (this.storage === 'f32') return { kind: errors.length > 1 ? 'two' : 'one', tensors: errors };
    const [last, d] = errors[errors.length - 1].shape;
    const all = (errors.length - 1) * secondErrors + last;
    const halves = this.#backend.scratch([Math.ceil((errorUnits(all, d) + all) / 2)], 'int32');
    errors.forEach((error, i) => {
      const [rows] = error.shape;
      const program = errorToHalf({ rows, d, firstRow: i * secondErrors, all });
      this.#programs.run(program, [error, halves], rows);
    });
    return { kind: 'halves', tensors: [halves], rows: all };
  }

  /**
   * Calls `run`, which changes w in place together with the copy that it is given, if there is one. The copy matches w before, so a kernel
   * may also leave both unchanged.
   */
  rewrite(w: Tensor2D, run: (copy: readonly Tf.TensorInfo[]) => void): void {
    if (this.storage === 'f32') {
      run([]);
      return;
    }
    const { tensor: halves } = this.stored(w);
    this.#copies = this.#copies.filter((copy) => copy.halves !== halves);
    try {
      run([halves]);
    } catch (error) {
      this.#backend.disposeData(halves.dataId);
      throw error;
    }
    this.#copies = [...this.#copies, { of: w.dataId, centre: null, halves }];
  }

  #convert(x: Tensor2D, centre: Tensor1D | null): Tf.TensorInfo {
    const [rows, d] = x.shape;
    // Each element holds two numbers. The tensor is kept beyond the surrounding tidy.
    const shape = [Math.ceil((rows * d) / 2)];
    const dataId = this.#backend.write(null as never, shape, 'int32');
    const halves: Tf.TensorInfo = { dataId, shape, dtype: 'int32' };
    const program = toHalf({ rows, d, centred: centre !== null });
    this.#programs.run(program, [x, halves, ...(centre ? [centre] : [])], toHalfGroups(rows, d));
    return halves;
  }

  #giveUp(changed: DataId): void {
    const over = this.#copies.filter(({ of, centre }) => of === changed || centre === changed);
    if (over.length === 0) return;
    this.#copies = this.#copies.filter((copy) => !over.includes(copy));
    for (const { halves } of over) this.#backend.disposeData(halves.dataId);
  }
}
