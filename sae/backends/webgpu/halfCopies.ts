/**
 * What a training step reads many times, it reads from copies in 16 bits where that is asked for (`--storage f16`): both
 * matrices, the batch (as the encoder sees it, less its centre) and the errors. Sums are made in 32 bits. An entry of a
 * list is met four times, when it is decoded, multiplied with the error, and in the gradients of both matrices: on 8·d
 * bytes instead of 16·d; the encoder's product reads half as well. A weight takes 14 bytes of the device instead of 12.
 *
 * In 32 bits stay the parameters and Adam's moments, in which many small steps add up, and so checkpoints; what is small
 * or met once: biases, thresholds, listed pre-activations, the result of the product, x and the error where they
 * are subtracted or squared; the products of matrices that take the place of lists while more than an eighth of all
 * latents are listed; TF.js's autodiff. The rows of W_enc that AuxK gathers, those of dead latents, are gathered in
 * 32 bits and converted at each step.
 *
 * A copy belongs to the contents of one tensor, less those of one centre, and is given up when either changes in place
 * or has its memory given up, whoever does that: the backend tells. A variable that is assigned to has other memory. So
 * there is no stale copy, and where there is none, one is made. Only the kernel that updates a matrix from a list knows
 * its rows and writes the copy beside them.
 *
 * half.test.ts holds what comes of it to what rounding to 11 bits explains, halfCopies.test.ts whole runs to those in
 * 32 bits. On lavapipe the mean loss of 60 steps was off by 1·10⁻⁴ (TopK with AuxK), 2·10⁻⁷ (ReLU) and 2·10⁻³ (JumpReLU,
 * whose thresholds learn from what is in a narrow window), and single steps, which choose other latents now and then, by
 * up to 5 %.
 */
import type { Tensor, Tensor1D, Tensor2D, Tf } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { errorToHalf, errorUnits, toHalf, toHalfGroups } from './kernels/half.ts';
import type { Source } from './kernels/rowUpdate.ts';
import type { Programs, Storage } from './programs.ts';

/** A matrix as a kernel finds it in memory. */
export interface Stored {
  readonly tensor: Tf.TensorInfo;
  readonly storage: Storage;
  /** [rows, columns] */
  readonly shape: readonly [number, number];
  /** A vector that the kernel must subtract from each row; null where it has been subtracted already. */
  readonly centre: Tensor1D | null;
}

export const inFull = (x: Tensor2D, centre: Tensor1D | null = null): Stored => ({
  tensor: x,
  storage: 'f32',
  shape: x.shape,
  centre,
});

/** The errors of all terms as the update of W_dec reads them. */
export interface StoredErrors {
  readonly kind: Extract<Source, { kind: 'decoder' }>['errors'];
  readonly tensors: readonly Tensor[];
  /** With `halves`: how many rows the one tensor has, those of all terms together. */
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
  /** Short, because each dictionary in training has only a few. */
  #copies: readonly Copy[] = [];

  constructor(backend: DeviceBackend, programs: Programs, storage: Storage = 'f32') {
    this.#backend = backend;
    this.#programs = programs;
    this.storage = storage;
    backend.onChange((dataId) => this.#giveUp(dataId));
  }

  /** x − centre as it is to be read. It lasts as long as the contents of both do. */
  stored(x: Tensor2D, centre: Tensor1D | null = null): Stored {
    if (this.storage === 'f32') return inFull(x, centre);
    const id = centre?.dataId ?? null;
    const known = this.#copies.find((copy) => copy.of === x.dataId && copy.centre === id);
    const halves = known?.halves ?? this.#convert(x, centre);
    if (!known) this.#copies = [...this.#copies, { of: x.dataId, centre: id, halves }];
    return { tensor: halves, storage: 'f16', shape: x.shape, centre: null };
  }

  /** `secondRows`: where the list has the rows of a second term begin. A scope around owns what is made. */
  errors(errors: readonly Tensor2D[], secondRows: number): StoredErrors {
    if (this.storage === 'f32') return { kind: errors.length > 1 ? 'two' : 'one', tensors: errors };
    const [rows, d] = errors[0].shape;
    const all = (errors.length - 1) * secondRows + rows;
    const halves = this.#backend.scratch([Math.ceil((errorUnits(all, d) + all) / 2)], 'int32');
    errors.forEach((error, i) => {
      const program = errorToHalf({ rows, d, firstRow: i * secondRows, all });
      this.#programs.run(program, [error, halves], rows);
    });
    return { kind: 'halves', tensors: [halves], rows: all };
  }

  /**
   * `run` changes w in place, and the copy that it gets, if it gets one, with it. Before, they match: a kernel may leave
   * both as they are.
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
    // Two numbers an element; no scope owns it.
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
