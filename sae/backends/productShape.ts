/** What BatchMatMul multiplies, by the shapes of its operands. */
import { sizeOf } from './kernelInputs.ts';

export interface ProductShape {
  /** Of one product: [m, k] · [k, n]. */
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Matrices in each operand and in the result. */
  readonly batchA: number;
  readonly batchB: number;
  readonly batch: number;
  /** Of the result. */
  readonly shape: readonly number[];
}

/** Null for batches that broadcast in part. Throws an Error where the inner sizes differ. */
export function productShape(
  a: readonly number[],
  b: readonly number[],
  transposed: { readonly transposeA: boolean; readonly transposeB: boolean },
): ProductShape | null {
  const [m, k] = matrix(a, transposed.transposeA);
  const [inner, n] = matrix(b, transposed.transposeB);
  const batchA = sizeOf(a.slice(0, -2));
  const batchB = sizeOf(b.slice(0, -2));
  if (k !== inner) throw new Error(`matMul: inner shapes (${k}) and (${inner}) of ${a} and ${b} differ.`);
  if (batchA !== batchB && batchA !== 1 && batchB !== 1) return null;
  const longer = a.length >= b.length ? a : b;
  const other = longer === a ? b : a;
  const outer = longer.slice(0, -2).map((size, i) => {
    const there = other[i - longer.length + other.length] ?? 1;
    return size === 1 ? there : size;
  });
  const batch = Math.max(batchA, batchB);
  if (sizeOf(outer) !== batch && batchA !== 0 && batchB !== 0) return null;
  return { m, n, k, batchA, batchB, batch, shape: [...outer, m, n] };
}

function matrix(shape: readonly number[], transposed: boolean): [number, number] {
  const rows = shape[shape.length - 2];
  const columns = shape[shape.length - 1];
  return transposed ? [columns, rows] : [rows, columns];
}
