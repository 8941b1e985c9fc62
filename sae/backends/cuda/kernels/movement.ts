import { tf, type Tf } from '../../../tensor/tf.ts';
import type { KernelRequest } from '../programs.ts';
import { boxArguments } from './boxArguments.ts';
import { numbers, sizeOf } from '../../kernelInputs.ts';
import {
  across,
  isStored,
  wordOf,
  type CudaKernel,
  type CudaKernels,
  type KernelContext,
  type StoredType,
} from './kernelContext.ts';

const copyBox: KernelRequest = { file: 'movement.cu', name: 'copyBox' };
const transposeTiles: KernelRequest = { file: 'movement.cu', name: 'transposeTiles' };
const fillBytes: KernelRequest = { file: 'elementwise.cu', name: 'fillBytes' };

/** One side of a copy: where it begins and how far apart its elements are, in elements. */
interface Side {
  tensor: Tf.TensorInfo;
  offset: number;
  strides: readonly number[];
}

/** Slices, concatenation, padding, tiling, transposes: boxes of elements copied between strides. */
export function movementKernels({ backend, fallback }: KernelContext): CudaKernels {
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

  /** The elements begin + i·step of x, `sizes` of them along each axis. */
  function strided(
    x: Tf.TensorInfo,
    begin: readonly number[],
    sizes: readonly number[],
    step: readonly number[] | null,
    shape: readonly number[] = sizes,
  ): Tf.TensorInfo {
    const strides = stridesOf(x.shape);
    const out = backend.output(shape, typeOf(x));
    const offset = begin.reduce((sum, b, i) => sum + b * strides[i], 0);
    copy(
      sizes,
      { tensor: x, offset, strides: step ? strides.map((s, i) => s * step[i]) : strides },
      { tensor: out.info, offset: 0, strides: stridesOf(sizes) },
    );
    return out.info;
  }

  function fill({ info, buffer }: ReturnType<typeof backend.output>, value: number): void {
    const { dtype } = info;
    const count = sizeOf(info.shape);
    if (dtype === 'bool') programs.run(fillBytes, across(backend, count), [buffer, value, count]);
    else backend.fill(buffer, wordOf(value, dtype === 'int32' ? dtype : 'float32'), count);
  }

  function concat(tensors: readonly Tf.TensorInfo[], axis: number): Tf.TensorInfo {
    const shapes = tensors.map((t) => t.shape);
    tf.backend_util.assertParamsConsistent(shapes, axis);
    const shape = tf.backend_util.computeOutShape(shapes, axis);
    const out = backend.output(shape, typeOf(tensors[0]));
    const strides = stridesOf(shape);
    let at = 0;
    for (const tensor of tensors) {
      copy(
        tensor.shape,
        { tensor, offset: 0, strides: stridesOf(tensor.shape) },
        { tensor: out.info, offset: at * strides[axis], strides },
      );
      at += tensor.shape[axis];
    }
    return out.info;
  }

  const general = (name: string, kernel: CudaKernel, mostAxes = 6): CudaKernel => {
    const otherwise = fallback(name);
    const covered = (x: Tf.TensorInfo) => isStored(x.dtype) && x.shape.length <= mostAxes;
    return (inputs, attrs) =>
      Object.values(inputs).every(covered) ? kernel(inputs, attrs) : otherwise(inputs, attrs);
  };

  const filled = (name: 'ZerosLike' | 'OnesLike', value: number): CudaKernel =>
    general(name, ({ x }) => {
      const out = backend.output(x.shape, typeOf(x));
      fill(out, value);
      return out.info;
    });

  return {
    Slice: general('Slice', ({ x }, attrs) => {
      const [begin, size] = tf.slice_util.parseSliceParams(
        asTensor(x),
        numbers(attrs.begin),
        numbers(attrs.size),
      );
      tf.slice_util.assertParamsValid(asTensor(x), begin, size);
      return strided(x, begin, size, null);
    }),

    StridedSlice: general('StridedSlice', ({ x }, attrs) => {
      const info = tf.slice_util.sliceInfo(
        x.shape,
        numbers(attrs.begin),
        numbers(attrs.end),
        numbers(attrs.strides),
        Number(attrs.beginMask),
        Number(attrs.endMask),
        Number(attrs.ellipsisMask),
        Number(attrs.newAxisMask),
        Number(attrs.shrinkAxisMask),
      );
      const sizes = tf.slice_util.computeOutShape(info.begin, info.end, info.strides);
      return strided(x, info.begin, sizes, info.strides, info.finalShape);
    }),

    SplitV: general('SplitV', ({ x }, attrs) => {
      const axis = tf.util.parseAxisParam(Number(attrs.axis), x.shape)[0];
      const parts = tf.backend_util.prepareSplitSize(
        asTensor(x),
        attrs.numOrSizeSplits as number | number[],
        axis,
      );
      let at = 0;
      return parts.map((length) => {
        const begin = x.shape.map((_, i) => (i === axis ? at : 0));
        at += length;
        const sizes = x.shape.map((n, i) => (i === axis ? length : n));
        return strided(x, begin, sizes, null);
      });
    }),

    Unpack: general('Unpack', ({ value }, attrs) => {
      const axis = tf.util.parseAxisParam(Number(attrs.axis), value.shape)[0];
      const sizes = value.shape.map((n, i) => (i === axis ? 1 : n));
      const shape = value.shape.filter((_, i) => i !== axis);
      return Array.from({ length: value.shape[axis] }, (_, at) => {
        const begin = value.shape.map((_size, i) => (i === axis ? at : 0));
        return strided(value, begin, sizes, null, shape);
      });
    }),

    Reverse: general('Reverse', ({ x }, attrs) => {
      const axes = new Set(tf.util.parseAxisParam(numbers(attrs.dims), x.shape));
      const begin = x.shape.map((n, i) => (axes.has(i) && n > 0 ? n - 1 : 0));
      const step = x.shape.map((_, i) => (axes.has(i) ? -1 : 1));
      return strided(x, begin, x.shape, step);
    }),

    Transpose: general('Transpose', ({ x }, attrs) => {
      const perm = numbers(attrs.perm);
      const strides = stridesOf(x.shape);
      const shape = perm.map((axis) => x.shape[axis]);
      const out = backend.output(shape, typeOf(x));
      const matrices = x.dtype === 'bool' ? null : swappedMatrices(x.shape, perm);
      if (matrices && out.buffer.bytes > 0) {
        const { batch, rows, columns } = matrices;
        const tiles = batch * Math.ceil(rows / 32) * Math.ceil(columns / 32);
        programs.run(transposeTiles, { grid: tiles, block: 256 }, [
          backend.buffer(x),
          out.buffer,
          rows,
          columns,
        ]);
        return out.info;
      }
      copy(
        shape,
        { tensor: x, offset: 0, strides: perm.map((axis) => strides[axis]) },
        { tensor: out.info, offset: 0, strides: stridesOf(shape) },
      );
      return out.info;
    }),

    Concat: general('Concat', (inputs, attrs) => {
      const tensors = Object.values(inputs);
      return concat(tensors, tf.util.parseAxisParam(Number(attrs.axis), tensors[0].shape)[0]);
    }),

    Pack: general(
      'Pack',
      (inputs, attrs) => {
        const tensors = Object.values(inputs);
        const axis = tf.util.parseAxisParam(Number(attrs.axis), [...tensors[0].shape, 1])[0];
        const widened = tensors.map((t) => ({ ...t, shape: t.shape.toSpliced(axis, 0, 1) }));
        return concat(widened, axis);
      },
      5,
    ),

    PadV2: general('PadV2', ({ x }, attrs) => {
      const paddings = attrs.paddings as [number, number][];
      const shape = x.shape.map((n, i) => n + paddings[i][0] + paddings[i][1]);
      const out = backend.output(shape, typeOf(x));
      fill(out, Number(attrs.constantValue));
      const strides = stridesOf(shape);
      const offset = paddings.reduce((sum, [before], i) => sum + before * strides[i], 0);
      copy(
        x.shape,
        { tensor: x, offset: 0, strides: stridesOf(x.shape) },
        { tensor: out.info, offset, strides },
      );
      return out.info;
    }),

    Tile: general('Tile', (inputs, attrs) => {
      const { x } = inputs;
      const reps = numbers(attrs.reps);
      const shape = x.shape.map((n, i) => n * reps[i]);
      // Each axis becomes two: the repetition, which stays put in x, and the axis itself.
      const sizes = x.shape.flatMap((n, i) => [reps[i], n]);
      const from = stridesOf(x.shape).flatMap((s) => [0, s]);
      const to = stridesOf(shape).flatMap((s, i) => [s * x.shape[i], s]);
      if (mergeAxes(sizes, from, to).sizes.length > 6) return fallback('Tile')(inputs, attrs);
      const out = backend.output(shape, typeOf(x));
      copy(sizes, { tensor: x, offset: 0, strides: from }, { tensor: out.info, offset: 0, strides: to });
      return out.info;
    }),

    Fill: (inputs, attrs) => {
      const { value, shape, dtype } = attrs;
      const type = typeof dtype === 'string' ? dtype : typeof value === 'boolean' ? 'bool' : 'float32';
      if ((typeof value !== 'number' && typeof value !== 'boolean') || !isStored(type))
        return fallback('Fill')(inputs, attrs);
      const out = backend.output(numbers(shape), type);
      fill(out, Number(value));
      return out.info;
    },
    ZerosLike: filled('ZerosLike', 0),
    OnesLike: filled('OnesLike', 1),
  };
}

/** The same copy with axes of size 1 dropped and neighbours that are one axis on both sides merged. */
function mergeAxes(sizes: readonly number[], from: readonly number[], to: readonly number[]) {
  const merged = { sizes: [] as number[], from: [] as number[], to: [] as number[] };
  sizes.forEach((size, i) => {
    if (size === 1) return;
    const last = merged.sizes.length - 1;
    if (last >= 0 && merged.from[last] === from[i] * size && merged.to[last] === to[i] * size) {
      merged.sizes[last] *= size;
      merged.from[last] = from[i];
      merged.to[last] = to[i];
      return;
    }
    merged.sizes.push(size);
    merged.from.push(from[i]);
    merged.to.push(to[i]);
  });
  if (merged.sizes.length > 0) return merged;
  return { sizes: [1], from: [1], to: [1] };
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

function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

function typeOf({ dtype }: Tf.TensorInfo): StoredType {
  if (isStored(dtype)) return dtype;
  throw new TypeError(`Backend cuda does not move ${dtype}.`);
}

/** TF.js types the inputs of these shape calculations as tensors, but reads only their shape. */
function asTensor(x: Tf.TensorInfo): Tf.Tensor {
  return x as Tf.Tensor;
}
