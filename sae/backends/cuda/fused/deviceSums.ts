/** Sums computed on the device in a fixed order, in single precision, over trees or blocks so that rounding errors grow slowly. */
import type { Computed } from '../../../ops/computed.ts';
import type { Scalar, Tensor2D } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { FusedPrograms, Made } from './fusedPrograms.ts';

const file = 'fusedSums.cu';
const rowsFile = 'fusedRows.cu';
const totalThreads = 1024;
/** Rows that a block of `columnSums` adds up. */
const rowsAtOnce = 64;
/** Rows that a block of `scaleAndSum` goes through. */
const rowsScaledAtOnce = 16;
const [joinedColumns, joinedThreads] = [32, 512];

/** Sums of the columns of blocks of rows, [blocks, d]; the caller gives the buffer back. */
export interface ColumnSums {
  readonly buffer: DeviceBuffer;
  readonly blocks: number;
}

export class DeviceSums {
  readonly #programs: FusedPrograms;

  constructor(programs: FusedPrograms) {
    this.#programs = programs;
  }

  /** Σ of the first n numbers of a buffer. */
  total(values: DeviceBuffer, n: number): Scalar {
    const out = this.#programs.output<Scalar>([], 'float32');
    this.#programs.run(file, 'total', [1, totalThreads], [values, out.buffer, n]);
    return out.tensor;
  }

  /** Σ x² over all elements of x [rows, d]. */
  squares(x: Tensor2D): Scalar {
    return this.#totalAbout(this.#programs.backend.buffer(x), x.shape, null);
  }

  /** Σ_b ‖x − x̄‖², where x̄ is the mean row. */
  varianceAboutMean(x: Tensor2D): Scalar {
    const [rows, d] = x.shape;
    const buffer = this.#programs.backend.buffer(x);
    return this.#programs.scratch(4 * d, (mean) => {
      const sums = this.columns(buffer, [rows, d], null);
      this.join(sums, 1 / rows, null, mean, d);
      return this.#totalAbout(buffer, [rows, d], mean);
    });
  }

  /** x = scale · raw [rows, d] and its Σ_b ‖x − x̄‖². */
  scaled(
    raw: DeviceBuffer,
    [rows, d]: readonly [number, number],
    scale: number,
  ): Made<Tensor2D> & { variance: Scalar } {
    const x = this.#programs.output<Tensor2D>([rows, d], 'float32');
    const blocks = Math.ceil(rows / rowsScaledAtOnce);
    const sums = { blocks, buffer: this.#programs.backend.scratch(4 * blocks * d) };
    const args = [raw, scale, x.buffer, sums.buffer, rows, rowsScaledAtOnce, d];
    this.#programs.runRows({ file: rowsFile, name: 'scaleAndSum' }, d, { blocks }, args);
    return this.#programs.scratch(4 * d, (mean) => {
      this.join(sums, 1 / rows, null, mean, d);
      return { ...x, variance: this.#totalAbout(x.buffer, [rows, d], mean) };
    });
  }

  /** numerator / denominator, and 0 where that is 0. */
  quotientOrZero(numerator: number, denominator: DeviceBuffer): Scalar {
    const out = this.#programs.output<Scalar>([], 'float32');
    this.#programs.run(file, 'quotientOrZero', [1, 1], [numerator, denominator, out.buffer]);
    return out.tensor;
  }

  /** squares [rows]: ‖x_b − centre‖². */
  rowSquares(
    x: DeviceBuffer,
    [rows, d]: readonly [number, number],
    centre: DeviceBuffer | null,
    squares: DeviceBuffer | bigint,
  ): void {
    this.#programs.runRows({ file: rowsFile, name: 'rowSquares' }, d, { blocks: rows }, [
      x,
      centre,
      squares,
      d,
    ]);
  }

  /** Column sums of x [rows, d], rows weighted by `weights` [rows] if given. */
  columns(x: DeviceBuffer, [rows, d]: readonly [number, number], weights: DeviceBuffer | null): ColumnSums {
    const blocks = Math.ceil(rows / rowsAtOnce);
    const buffer = this.#programs.backend.scratch(4 * blocks * d);
    const args = [x, weights, buffer, rows, rowsAtOnce, d];
    this.#programs.runRows({ file: rowsFile, name: 'columnSums' }, d, { blocks }, args);
    return { buffer, blocks };
  }

  /** out [d] = factor · Σ sums − Σ less. Gives the sums back. */
  join(sums: ColumnSums, factor: Computed, less: ColumnSums | null, out: DeviceBuffer, d: number): void {
    const grid = [Math.ceil(d / joinedColumns), joinedThreads] as const;
    const factors = this.#programs.number(factor);
    const lesser = [less?.buffer ?? null, less?.blocks ?? 0] as const;
    this.#programs.run(file, 'joinColumns', grid, [sums.buffer, sums.blocks, ...factors, ...lesser, out, d]);
    this.#programs.backend.give(sums.buffer);
    if (less) this.#programs.backend.give(less.buffer);
  }

  /** clip [1] = min(1, clipNorm / the norm of everything), from `count` squares and two vectors. */
  clipScale(
    squares: DeviceBuffer,
    count: number,
    vectors: readonly [DeviceBuffer | bigint, number],
    more: readonly [DeviceBuffer | bigint, number],
    clipNorm: number,
    clip: DeviceBuffer,
  ): void {
    const args = [squares, count, ...vectors, ...more, clipNorm, clip];
    this.#programs.run(file, 'clipScale', [1, totalThreads], args);
  }

  #totalAbout(x: DeviceBuffer, shape: readonly [number, number], centre: DeviceBuffer | null): Scalar {
    const [rows] = shape;
    return this.#programs.scratch(4 * rows, (squares) => {
      this.rowSquares(x, shape, centre, squares);
      return this.total(squares, rows);
    });
  }
}
