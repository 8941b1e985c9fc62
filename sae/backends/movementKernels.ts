/**
 * TF.js's kernels that move elements (slices, concatenation, padding, tiling, transposes, filled tensors), for a backend that can copy a box
 * of elements between strides: what each means in boxes is the same for all of them.
 */
import { tf, type Tf } from '../tensor/tf.ts';
import { isStored, numbers, type Attributes, type Inputs, type StoredType } from './kernelInputs.ts';

type Kernel = (inputs: Inputs, attributes: Attributes) => Tf.TensorInfo | Tf.TensorInfo[];

/** One side of a copy: where it begins and how far apart its elements are, in elements. */
export interface Side {
  tensor: Tf.TensorInfo;
  offset: number;
  strides: readonly number[];
}

/** What a backend does itself. `Out` is what it knows of a tensor that it has just made. */
export interface BoxCopies<Out extends { readonly info: Tf.TensorInfo }> {
  /** A tensor with memory of its own, whose values are not set. */
  output(shape: readonly number[], dtype: StoredType): Out;
  /** Copies a box of `sizes` elements. Sizes of zero copy nothing. */
  copy(sizes: readonly number[], from: Side, to: Side): void;
  fill(out: Out, value: number): void;
  /** The most axes of different strides that `copy` takes; without it, any number. */
  readonly mostAxes?: number;
  /** TF.js's own kernel of that name, for the cases that boxes do not cover. */
  fallback(name: string): Kernel;
}

/** Tensors of more axes are left to TF.js. */
const mostAxes = 6;

/** The kernels, by the names that TF.js gives them. */
export function movementKernels<Out extends { readonly info: Tf.TensorInfo }>(
  device: BoxCopies<Out>,
): Record<string, Kernel> {
  /** The elements begin + i·step of x, `sizes` of them along each axis. */
  function strided(
    x: Tf.TensorInfo,
    begin: readonly number[],
    sizes: readonly number[],
    step: readonly number[] | null,
    shape: readonly number[] = sizes,
  ): Tf.TensorInfo {
    const strides = stridesOf(x.shape);
    const out = device.output(shape, typeOf(x));
    const offset = begin.reduce((sum, b, i) => sum + b * strides[i], 0);
    device.copy(
      sizes,
      { tensor: x, offset, strides: step ? strides.map((s, i) => s * step[i]) : strides },
      { tensor: out.info, offset: 0, strides: stridesOf(sizes) },
    );
    return out.info;
  }

  function concat(tensors: readonly Tf.TensorInfo[], axis: number): Tf.TensorInfo {
    const shapes = tensors.map((t) => t.shape);
    tf.backend_util.assertParamsConsistent(shapes, axis);
    const shape = tf.backend_util.computeOutShape(shapes, axis);
    const out = device.output(shape, typeOf(tensors[0]));
    const strides = stridesOf(shape);
    let at = 0;
    for (const tensor of tensors) {
      device.copy(
        tensor.shape,
        { tensor, offset: 0, strides: stridesOf(tensor.shape) },
        { tensor: out.info, offset: at * strides[axis], strides },
      );
      at += tensor.shape[axis];
    }
    return out.info;
  }

  const general = (name: string, kernel: Kernel, most = mostAxes): Kernel => {
    const otherwise = device.fallback(name);
    const covered = (x: Tf.TensorInfo) => isStored(x.dtype) && x.shape.length <= most;
    return (inputs, attrs) =>
      Object.values(inputs).every(covered) ? kernel(inputs, attrs) : otherwise(inputs, attrs);
  };

  const filled = (name: 'ZerosLike' | 'OnesLike', value: number): Kernel =>
    general(name, ({ x }) => {
      const out = device.output(x.shape, typeOf(x));
      device.fill(out, value);
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
      const out = device.output(shape, typeOf(x));
      device.copy(
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
      mostAxes - 1,
    ),

    PadV2: general('PadV2', ({ x }, attrs) => {
      const paddings = attrs.paddings as [number, number][];
      const shape = x.shape.map((n, i) => n + paddings[i][0] + paddings[i][1]);
      const out = device.output(shape, typeOf(x));
      device.fill(out, Number(attrs.constantValue));
      const strides = stridesOf(shape);
      const offset = paddings.reduce((sum, [before], i) => sum + before * strides[i], 0);
      device.copy(
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
      if (device.mostAxes !== undefined && mergeAxes(sizes, from, to).sizes.length > device.mostAxes)
        return device.fallback('Tile')(inputs, attrs);
      const out = device.output(shape, typeOf(x));
      device.copy(
        sizes,
        { tensor: x, offset: 0, strides: from },
        { tensor: out.info, offset: 0, strides: to },
      );
      return out.info;
    }),

    Fill: (inputs, attrs) => {
      const { value, shape, dtype } = attrs;
      const type = typeof dtype === 'string' ? dtype : typeof value === 'boolean' ? 'bool' : 'float32';
      if ((typeof value !== 'number' && typeof value !== 'boolean') || !isStored(type))
        return device.fallback('Fill')(inputs, attrs);
      const out = device.output(numbers(shape), type);
      device.fill(out, Number(value));
      return out.info;
    },
    ZerosLike: filled('ZerosLike', 0),
    OnesLike: filled('OnesLike', 1),
  };
}

/** The same copy with axes of size 1 dropped and neighbours that are one axis on both sides merged. */
export function mergeAxes(sizes: readonly number[], from: readonly number[], to: readonly number[]) {
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
  throw new TypeError(`A kernel that moves elements got ${dtype}.`);
}

/** TF.js types the inputs of these shape calculations as tensors, but reads only their shape. */
function asTensor(x: Tf.TensorInfo): Tf.Tensor {
  return x as Tf.Tensor;
}
