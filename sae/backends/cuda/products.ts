/**
 * Matrix products of row-major matrices by cuBLASLt, whose matrices are column-major: a row-major matrix is its transpose
 * there, so Cᵀ = op(B)ᵀ·op(A)ᵀ is what is asked for, with the operands in the other order and nothing moved.
 */
import type { BlasLt, Layout } from './blasLt.ts';
import type { Device } from './device.ts';
import type { DeviceBuffer } from './deviceMemory.ts';
import type { Programs } from './programs.ts';

/**
 * Of the arithmetic. `f32`: in full. `tf32`: factors rounded to 10 bits of mantissa. `bf16`: A and B are bf16 in memory.
 * Sums are f32 in all.
 */
export type NumberType = 'f32' | 'tf32' | 'bf16';

/** C[m, n] = alpha·op(A)·op(B) + beta·C. Offsets, leading dimensions and strides are in elements. */
export interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: DeviceBuffer;
  readonly b: DeviceBuffer;
  readonly c: DeviceBuffer;
  readonly aOffset?: number;
  readonly bOffset?: number;
  readonly cOffset?: number;
  /** Elements from a row to the next; those of the stored matrix without gaps when left out. */
  readonly lda?: number;
  readonly ldb?: number;
  readonly ldc?: number;
  /** A is stored [k, m]. */
  readonly transposeA?: boolean;
  /** B is stored [n, k]. */
  readonly transposeB?: boolean;
  /** How many products; 1 when left out. */
  readonly batch?: number;
  /** From a matrix of the batch to the next; 0 for one that all share. */
  readonly strideA?: number;
  readonly strideB?: number;
  readonly strideC?: number;
  readonly type: NumberType;
  /** Of C; f32 when left out. */
  readonly outType?: 'f32' | 'bf16';
  readonly alpha?: number;
  readonly beta?: number;
}

const bytesOf = { f32: 4, bf16: 2 } as const;

export class Products {
  readonly #device: Device;
  readonly #programs: Programs;
  readonly #blas: BlasLt;

  constructor(device: Device, programs: Programs, blas: BlasLt) {
    this.#device = device;
    this.#programs = programs;
    this.#blas = blas;
  }

  /** How many products of different shapes there have been. */
  get plans(): number {
    return this.#blas.plans;
  }

  /** On the compute stream. Throws `unavailable` when cuBLASLt has no algorithm for it. */
  multiply(p: Product): void {
    const { m, n, k, transposeA = false, transposeB = false, batch = 1, type, outType = 'f32' } = p;
    const { aOffset = 0, bOffset = 0, cOffset = 0, alpha = 1, beta = 0 } = p;
    const { lda = transposeA ? m : k, ldb = transposeB ? k : n, ldc = n } = p;
    const { strideA = m * k, strideB = k * n, strideC = m * n } = p;
    if (m === 0 || n === 0 || batch === 0) return;
    if (k === 0) {
      this.#withoutTerms({ m, n, ldc, batch, strideC, outType, beta }, p.c, cOffset);
      return;
    }
    const factor = type === 'bf16' ? 'bf16' : 'f32';
    const a: Layout = stored(factor, transposeA ? [k, m] : [m, k], lda, strideA);
    const b: Layout = stored(factor, transposeB ? [n, k] : [k, n], ldb, strideB);
    const d: Layout = stored(outType, [m, n], ldc, strideC);
    const at = {
      a: Number(p.b.address) + bOffset * bytesOf[factor],
      b: Number(p.a.address) + aOffset * bytesOf[factor],
      d: Number(p.c.address) + cOffset * bytesOf[outType],
    };
    const alignments = [alignment(at.a), alignment(at.b), alignment(at.d)] as const;
    const compute = type === 'tf32' ? 'tf32' : 'f32';
    const shape = {
      a: b,
      b: a,
      d,
      transposeA: transposeB,
      transposeB: transposeA,
      batch,
      compute,
      alignments,
    } as const;
    this.#programs.around(`product ${type}`, () => this.#blas.multiply(shape, at, alpha, beta));
  }

  /** A sum of no terms is 0. */
  #withoutTerms(
    c: {
      m: number;
      n: number;
      ldc: number;
      batch: number;
      strideC: number;
      outType: 'f32' | 'bf16';
      beta: number;
    },
    buffer: DeviceBuffer,
    offset: number,
  ): void {
    if (c.beta === 1) return;
    if (c.beta !== 0 || c.outType !== 'f32')
      throw new Error(`A product of no terms into ${c.outType} with beta ${c.beta} is not supported.`);
    const { driver, stream } = this.#device;
    for (let i = 0; i < c.batch; i++)
      for (let row = 0; row < c.m; row++) {
        const start = Number(buffer.address) + 4 * (offset + i * c.strideC + row * c.ldc);
        driver.call('cuMemsetD32Async', start, 0, c.n, stream);
      }
  }
}

/** The column-major matrix that a row-major one of this shape is. */
function stored(
  type: 'f32' | 'bf16',
  [rows, columns]: readonly [number, number],
  leading: number,
  stride: number,
): Layout {
  return { type, rows: columns, columns: rows, leading, stride };
}

/** The largest power of 2 that divides an address, 256 at most. */
function alignment(address: number): number {
  let bytes = 256;
  while (address % bytes !== 0) bytes /= 2;
  return bytes;
}
