import { tf, type Scalar, type Tensor, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { inFull, type Stored } from './halfCopies.ts';
import { blocksOf, columnSums, joinColumns, joinGroups, rowSquares, total } from './kernels/sums.ts';
import type { Programs } from './programs.ts';

/** Sums computed on the device, in single precision, over trees or blocks so that rounding errors grow slowly. */
export class DeviceSums {
  readonly #backend: DeviceBackend;
  readonly #programs: Programs;

  constructor(backend: DeviceBackend, programs: Programs) {
    this.#backend = backend;
    this.#programs = programs;
  }

  /** A scalar: Σ of all elements, or of those of a part. */
  total(values: Tensor, part = { from: 0, count: values.size }): Scalar {
    const out = this.#backend.scratch([], 'float32') as Scalar;
    this.#programs.run(total(part), [values, out], 1);
    return out;
  }

  /** A scalar: Σ x² over all elements. */
  squares(x: Tensor2D): Scalar {
    return tf.tidy(() => this.total(this.#rowSquares(x, null)));
  }

  /** A scalar: Σ_b ‖x − x̄‖², where x̄ is the mean row. */
  varianceAboutMean(x: Tensor2D): Scalar {
    return tf.tidy(() => {
      const [rows, d] = x.shape;
      const mean = this.#backend.scratch([d], 'float32') as Tensor1D;
      const { sums, blocks } = this.columns(inFull(x), null);
      this.#programs.run(
        joinColumns({ d, blocks, factor: 1 / rows }),
        [sums, mean],
        [joinGroups({ d, blocks }), 1],
      );
      return this.total(this.#rowSquares(x, mean));
    });
  }

  /** [blocks, d]: Σ over the rows of each block, weighted by `weights` [rows] if given. */
  columns({ tensor, storage, shape }: Stored, weights: Tensor | null): { sums: Tensor2D; blocks: number } {
    const [rows, d] = shape;
    const blocks = blocksOf(rows);
    const sums = this.#backend.scratch([blocks, d], 'float32') as Tensor2D;
    const program = columnSums({ rows, d, storage, weighted: weights !== null });
    this.#programs.run(program, [tensor, sums, ...(weights ? [weights] : [])], [blocks, 1]);
    return { sums, blocks };
  }

  /** [d]: Σ over the rows of x. */
  rows(x: Tensor2D): Tensor1D {
    const [, d] = x.shape;
    const out = this.#backend.scratch([d], 'float32') as Tensor1D;
    const { sums, blocks } = this.columns(inFull(x), null);
    this.#programs.run(joinColumns({ d, blocks, factor: 1 }), [sums, out], [joinGroups({ d, blocks }), 1]);
    sums.dispose();
    return out;
  }

  #rowSquares(x: Tensor2D, centre: Tensor1D | null): Tensor {
    const [rows, d] = x.shape;
    const squares = this.#backend.scratch([rows], 'float32');
    const program = rowSquares({ rows, d, centred: centre !== null, root: false, offset: 0 });
    this.#programs.run(program, [x, squares, ...(centre ? [centre] : [])], rows);
    return squares;
  }
}
