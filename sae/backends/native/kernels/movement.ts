import { tf, type Tf } from '../../../tensor/tf.ts';
import { writable } from '../pointers.ts';
import { numbers, sizeOf } from '../../kernelInputs.ts';
import type { KernelContext, NativeKernels } from './kernelContext.ts';

/** Slices, concatenation, padding, tiling, transposes: boxes of elements copied between strides. */
export function movementKernels({ backend, library, fallback }: KernelContext): NativeKernels {
  const { copy: copyBox, fill } = library.functions;

  interface Side {
    tensor: Tf.TensorInfo;
    offset: number;
    strides: readonly number[];
  }

  function copy(sizes: readonly number[], from: Side, to: Side): void {
    const rank = sizes.length;
    const packed = new Int32Array(3 * rank);
    packed.set(sizes);
    packed.set(from.strides, rank);
    packed.set(to.strides, 2 * rank);
    const bytes = from.tensor.dtype === 'bool' ? 1 : 4;
    if (sizeOf(sizes) > 0)
      copyBox(
        bytes,
        backend.values(from.tensor),
        from.offset,
        writable(backend.values(to.tensor)),
        to.offset,
        rank,
        packed,
      );
  }

  const covered = (x: Tf.TensorInfo) =>
    (x.dtype === 'float32' || x.dtype === 'int32' || x.dtype === 'bool') && x.shape.length <= 6;

  /** The elements begin + i·step of x, `sizes` of them along each axis. */
  function strided(
    x: Tf.TensorInfo,
    begin: readonly number[],
    sizes: readonly number[],
    step: readonly number[] | null,
    shape: readonly number[] = sizes,
  ): Tf.TensorInfo {
    const strides = stridesOf(x.shape);
    const out = backend.output(shape, x.dtype);
    const offset = begin.reduce((sum, b, i) => sum + b * strides[i], 0);
    copy(
      sizes,
      { tensor: x, offset, strides: step ? strides.map((s, i) => s * step[i]) : strides },
      { tensor: out.info, offset: 0, strides: stridesOf(sizes) },
    );
    return out.info;
  }

  const general = (name: string, kernel: NativeKernels[string]): NativeKernels[string] => {
    const otherwise = fallback(name);
    return (inputs, attrs) =>
      Object.values(inputs).every(covered) ? kernel(inputs, attrs) : otherwise({ inputs, attrs, backend });
  };

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
        return strided(
          x,
          begin,
          x.shape.map((n, i) => (i === axis ? length : n)),
          null,
        );
      });
    }),

    Unpack: general('Unpack', ({ value }, attrs) => {
      const axis = tf.util.parseAxisParam(Number(attrs.axis), value.shape)[0];
      const sizes = value.shape.map((n, i) => (i === axis ? 1 : n));
      const shape = value.shape.filter((_, i) => i !== axis);
      return Array.from({ length: value.shape[axis] }, (_, at) =>
        strided(
          value,
          value.shape.map((_size, i) => (i === axis ? at : 0)),
          sizes,
          null,
          shape,
        ),
      );
    }),

    Reverse: general('Reverse', ({ x }, attrs) => {
      const axes = new Set(tf.util.parseAxisParam(numbers(attrs.dims), x.shape));
      const begin = x.shape.map((n, i) => (axes.has(i) && n > 0 ? n - 1 : 0));
      return strided(
        x,
        begin,
        x.shape,
        x.shape.map((_, i) => (axes.has(i) ? -1 : 1)),
      );
    }),

    Transpose: general('Transpose', ({ x }, attrs) => {
      const perm = numbers(attrs.perm);
      const strides = stridesOf(x.shape);
      const shape = perm.map((axis) => x.shape[axis]);
      const out = backend.output(shape, x.dtype);
      copy(
        shape,
        { tensor: x, offset: 0, strides: perm.map((axis) => strides[axis]) },
        { tensor: out.info, offset: 0, strides: stridesOf(shape) },
      );
      return out.info;
    }),

    Concat: general('Concat', (inputs, attrs) => {
      const tensors = Object.values(inputs);
      const axis = tf.util.parseAxisParam(Number(attrs.axis), tensors[0].shape)[0];
      const shapes = tensors.map((t) => t.shape);
      tf.backend_util.assertParamsConsistent(shapes, axis);
      const shape = tf.backend_util.computeOutShape(shapes, axis);
      const out = backend.output(shape, tensors[0].dtype);
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
    }),

    PadV2: general('PadV2', ({ x }, attrs) => {
      const paddings = attrs.paddings as [number, number][];
      const shape = x.shape.map((n, i) => n + paddings[i][0] + paddings[i][1]);
      const out = backend.output(shape, x.dtype);
      const constant = Number(attrs.constantValue);
      if (out.values instanceof Float32Array) fill(out.values, out.values.length, constant);
      else out.values.fill(constant);
      const strides = stridesOf(shape);
      const offset = paddings.reduce((sum, [before], i) => sum + before * strides[i], 0);
      copy(
        x.shape,
        { tensor: x, offset: 0, strides: stridesOf(x.shape) },
        { tensor: out.info, offset, strides },
      );
      return out.info;
    }),

    Tile: general('Tile', ({ x }, attrs) => {
      const reps = numbers(attrs.reps);
      const strides = stridesOf(x.shape);
      const shape = x.shape.map((n, i) => n * reps[i]);
      const out = backend.output(shape, x.dtype);
      const outStrides = stridesOf(shape);
      // Each axis becomes two: the repetition, which stays put in x, and the axis itself.
      copy(
        x.shape.flatMap((n, i) => [reps[i], n]),
        { tensor: x, offset: 0, strides: strides.flatMap((s) => [0, s]) },
        { tensor: out.info, offset: 0, strides: outStrides.flatMap((s, i) => [s * x.shape[i], s]) },
      );
      return out.info;
    }),

    Fill: (inputs, attrs) => {
      const { value, shape, dtype } = attrs;
      const type = typeof dtype === 'string' ? dtype : 'float32';
      if (typeof value !== 'number' || type !== 'float32')
        return fallback('Fill')({ inputs, attrs, backend });
      const out = backend.output(numbers(shape), 'float32');
      fill(out.values, out.values.length, value);
      return out.info;
    },

    ZerosLike: (inputs, attrs) => {
      const { x } = inputs;
      if (x.dtype !== 'float32') return fallback('ZerosLike')({ inputs, attrs, backend });
      const out = backend.output(x.shape, 'float32');
      fill(out.values, out.values.length, 0);
      return out.info;
    },

    OnesLike: (inputs, attrs) => {
      const { x } = inputs;
      if (x.dtype !== 'float32') return fallback('OnesLike')({ inputs, attrs, backend });
      const out = backend.output(x.shape, 'float32');
      fill(out.values, out.values.length, 1);
      return out.info;
    },
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

/** TF.js types the inputs of these shape calculations as tensors, but reads only their shape. */
function asTensor(x: Tf.TensorInfo): Tf.Tensor {
  return x as Tf.Tensor;
}
