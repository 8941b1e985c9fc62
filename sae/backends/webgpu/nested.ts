/** Nested reconstructions (Matryoshka) on the device; see kernels/sparse.ts. */
import type { NestedReconstruction } from '../../ops/fusedKernels.ts';
import type { SparseEntries } from '../../ops/sparseEntries.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import type { DeviceSums } from './deviceSums.ts';
import type { HalfCopies } from './halfCopies.ts';
import { decodeNested, dots as dotsOf } from './kernels/sparse.ts';
import type { Programs } from './programs.ts';

export interface NestedDevice {
  readonly backend: DeviceBackend;
  readonly programs: Programs;
  readonly sums: DeviceSums;
  readonly copies: HalfCopies;
}

/** `reconstructNested` of fusedKernels.ts. */
export function reconstructNested(
  { backend, programs, sums, copies }: NestedDevice,
  { rowStart, indices, values }: SparseEntries,
  prefixes: Int32Array,
  { wDec, bias }: { readonly wDec: Tensor2D; readonly bias: Tensor1D },
  target: Tensor2D,
): NestedReconstruction {
  const [rows, d] = target.shape;
  return tf.tidy(() => {
    const w = copies.stored(wDec);
    const errors = backend.scratch([prefixes.length * rows, d], 'float32') as Tensor2D;
    const squares = backend.scratch([2, rows], 'float32');
    const shape = { rows, d, storage: w.storage, prefixes };
    programs.run(
      decodeNested(shape),
      [rowStart, indices, values, w.tensor, bias, target, errors, squares],
      rows,
    );
    const dots = backend.scratch([indices.shape[0]], 'float32') as Tensor1D;
    if (indices.shape[0] > 0) programs.run(dotsOf(shape), [rowStart, indices, errors, w.tensor, dots], rows);
    const sumOf = (part: number) => sums.total(squares, { from: part * rows, count: rows });
    return { errors, dots, nestedError: sumOf(0), squaredError: sumOf(1) };
  });
}
