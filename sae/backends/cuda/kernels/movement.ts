import { numbers, sizeOf } from '../../kernelInputs.ts';
import { mergeAxes, movementKernels, type Side } from '../../movementKernels.ts';
import type { KernelRequest } from '../programs.ts';
import { boxArguments } from './boxArguments.ts';
import { across, wordOf, type CudaKernels, type KernelContext } from './kernelContext.ts';

const copyBox: KernelRequest = { file: 'movement.cu', name: 'copyBox' };
const transposeTiles: KernelRequest = { file: 'movement.cu', name: 'transposeTiles' };
const fillBytes: KernelRequest = { file: 'elementwise.cu', name: 'fillBytes' };

/** Boxes of elements copied between strides by kernels, or by the driver where both sides are contiguous. */
export function cudaMovementKernels({ backend, fallback }: KernelContext): CudaKernels {
  const { programs } = backend;

  function copy(given: readonly number[], from: Side, to: Side): void {
    if (sizeOf(given) === 0) return;
    const merged = mergeAxes(given, from.strides, to.strides);
    const bytes = from.tensor.dtype === 'bool' ? 1 : 4;
    if (merged.sizes.length === 1 && merged.from[0] === 1 && merged.to[0] === 1) {
      const [source, target] = [backend.buffer(from.tensor), backend.buffer(to.tensor)];
      backend.copy(source, target, bytes * merged.sizes[0], bytes * from.offset, bytes * to.offset);
      return;
    }
    const grouped = groupsOf(merged, bytes, from.offset, to.offset);
    const args = boxArguments(grouped.sizes, grouped.from, grouped.to);
    if (!args) throw new Error(`A copy of ${grouped.sizes.length} axes has no kernel.`);
    const count = sizeOf(grouped.sizes);
    programs.run(copyBox, across(backend, count), [
      grouped.bytes,
      backend.buffer(from.tensor),
      grouped.fromOffset,
      backend.buffer(to.tensor),
      grouped.toOffset,
      count,
      ...args,
    ]);
  }

  function fill({ info, buffer }: ReturnType<typeof backend.output>, value: number): void {
    const { dtype } = info;
    const count = sizeOf(info.shape);
    if (dtype === 'bool') programs.run(fillBytes, across(backend, count), [buffer, value, count]);
    else backend.fill(buffer, wordOf(value, dtype === 'int32' ? dtype : 'float32'), count);
  }

  const kernels = movementKernels({
    output: (shape, dtype) => backend.output(shape, dtype),
    copy,
    fill,
    mostAxes: 6,
    fallback,
  });
  return {
    ...kernels,

    // Matrices are transposed tile by tile in shared memory, so that reads and writes are both contiguous.
    Transpose: (inputs, attrs) => {
      const { x } = inputs;
      const perm = numbers(attrs.perm);
      const type = x.dtype === 'float32' || x.dtype === 'int32' ? x.dtype : null;
      const matrices = type && swappedMatrices(x.shape, perm);
      if (!type || !matrices || sizeOf(x.shape) === 0) return kernels.Transpose(inputs, attrs);
      const shape = perm.map((axis) => x.shape[axis]);
      const out = backend.output(shape, type);
      const { batch, rows, columns } = matrices;
      const tiles = batch * Math.ceil(rows / 32) * Math.ceil(columns / 32);
      programs.run(transposeTiles, { grid: tiles, block: 256 }, [
        backend.buffer(x),
        out.buffer,
        rows,
        columns,
      ]);
      return out.info;
    },
  };
}

/** The same copy in groups of 16 bytes where the innermost axis is contiguous on both sides and everything falls on their borders. */
function groupsOf(
  box: ReturnType<typeof mergeAxes>,
  bytes: number,
  ...[fromOffset, toOffset]: [number, number]
) {
  const last = box.sizes.length - 1;
  const outer = [box.from, box.to].flatMap((strides) => strides.slice(0, -1));
  const borders = [box.sizes[last], fromOffset, toOffset, ...outer];
  const group = 4;
  if (bytes !== 4 || box.from[last] !== 1 || box.to[last] !== 1 || borders.some((n) => n % group !== 0))
    return { ...box, bytes, fromOffset, toOffset };
  const inGroups = (strides: readonly number[]) => strides.map((s, i) => (i === last ? 1 : s / group));
  return {
    sizes: box.sizes.map((n, i) => (i === last ? n / group : n)),
    from: inGroups(box.from),
    to: inGroups(box.to),
    bytes: group * bytes,
    fromOffset: fromOffset / group,
    toOffset: toOffset / group,
  };
}

/** A transposition that only swaps two runs of neighbouring axes at the end: a batch of matrices, each transposed. */
function swappedMatrices(shape: readonly number[], perm: readonly number[]) {
  const rank = shape.length;
  let first = 0;
  while (first < rank && perm[first] === first) first++;
  const columnsAt = perm[first];
  if (columnsAt === undefined) return null;
  const swapped = Array.from({ length: rank - first }, (_, i) =>
    i < rank - columnsAt ? columnsAt + i : first + i - (rank - columnsAt),
  );
  if (swapped.some((axis, i) => perm[first + i] !== axis)) return null;
  return {
    batch: sizeOf(shape.slice(0, first)),
    rows: sizeOf(shape.slice(first, columnsAt)),
    columns: sizeOf(shape.slice(columnsAt)),
  };
}
