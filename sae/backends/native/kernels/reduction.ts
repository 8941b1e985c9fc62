import type { Tf } from '../../../tensor/tf.ts';
import { numbers, sizeOf } from '../../kernelInputs.ts';
import type { KernelContext, NativeKernels } from './kernelContext.ts';
import { writable } from '../pointers.ts';
import { scaleOperation } from './elementwise.ts';

/** The numbers that these operations have in source/reduce.cc. */
const operations = { Sum: 0, Prod: 1, Max: 2, Min: 3 } as const;

export function reductionKernels({ backend, library, fallback }: KernelContext): NativeKernels {
  const { argExtreme, cumsum, reduce: reduceFloats, reduceInt, softmax, unary } = library.functions;
  const kernels: NativeKernels = {};

  /** One pass for each run of neighbouring reduced axes, the last first. */
  function reduce(operation: number, x: Tf.TensorInfo, axes: number[], keepDims: boolean): Tf.TensorInfo {
    const reduced = x.shape.map(() => axes.length === 0);
    for (const axis of axes) reduced[axis < 0 ? axis + x.shape.length : axis] = true;
    const shape = x.shape.flatMap((size, i) => (reduced[i] ? (keepDims ? [1] : []) : [size]));

    let current = x;
    const sizes = [...x.shape];
    let pending = x.shape.length - 1;
    do {
      while (pending >= 0 && !reduced[pending]) pending--;
      let start = pending;
      while (start > 0 && reduced[start - 1]) start--;
      // Without a reduced axis (a scalar) this is a copy: one pass over n = 1.
      const from = Math.max(start, 0);
      const outer = sizeOf(sizes.slice(0, from));
      const n = sizeOf(sizes.slice(from, pending + 1));
      const inner = sizeOf(sizes.slice(pending + 1));
      for (let i = from; i <= pending; i++) sizes[i] = 1;
      pending = start - 1;
      const last = !reduced.slice(0, Math.max(pending + 1, 0)).some(Boolean);
      const made = pass(operation, current, last ? shape : sizes, outer, n, inner);
      if (current !== x) backend.disposeIntermediateTensorInfo(current);
      current = made;
      if (last) return current;
    } while (pending >= 0);
    return current;
  }

  /** x [outer, n, inner] to [outer, inner], as a tensor of that shape. */
  function pass(
    operation: number,
    x: Tf.TensorInfo,
    shape: readonly number[],
    ...[outer, n, inner]: [number, number, number]
  ): Tf.TensorInfo {
    if (x.dtype === 'int32') {
      const out = backend.output(shape, 'int32');
      if (out.values.length > 0) reduceInt(operation, backend.integers(x), out.values, outer, n, inner);
      return out.info;
    }
    const out = backend.output(shape, 'float32');
    if (out.values.length > 0) reduceFloats(operation, backend.floats(x), out.values, outer, n, inner);
    return out.info;
  }

  for (const [name, operation] of Object.entries(operations)) {
    const general = fallback(name);
    kernels[name] = (inputs, attrs) => {
      const { x } = inputs;
      const attribute = name === 'Max' ? attrs.reductionIndices : attrs.axis;
      const axes = numbers(attribute);
      if (x.dtype !== 'float32' && x.dtype !== 'int32') return general({ inputs, attrs, backend });
      return reduce(operation, x, axes, attrs.keepDims === true);
    };
  }

  const generalMean = fallback('Mean');
  kernels.Mean = (inputs, attrs) => {
    const { x } = inputs;
    if (x.dtype !== 'float32') return generalMean({ inputs, attrs, backend });
    const out = reduce(operations.Sum, x, numbers(attrs.axis), attrs.keepDims === true);
    const values = writable(backend.floats(out));
    unary(scaleOperation, values, values, values.length, values.length / sizeOf(x.shape));
    return out;
  };

  const generalSoftmax = fallback('Softmax');
  kernels.Softmax = (inputs, attrs) => {
    const { logits } = inputs;
    const last = logits.shape.length - 1;
    if (logits.dtype !== 'float32' || (attrs.dim !== last && attrs.dim !== -1))
      return generalSoftmax({ inputs, attrs, backend });
    const out = backend.output(logits.shape, 'float32');
    const n = logits.shape[last];
    if (out.values.length > 0) softmax(backend.floats(logits), out.values, out.values.length / n, n);
    return out.info;
  };

  const extreme = (name: string, smallest: number) => {
    const general = fallback(name);
    kernels[name] = (inputs, attrs) => {
      const { x } = inputs;
      const axis = numbers(attrs.axis)[0] ?? 0;
      if (x.dtype !== 'float32' || x.shape.length === 0) return general({ inputs, attrs, backend });
      const at = axis < 0 ? axis + x.shape.length : axis;
      const out = backend.output([...x.shape.slice(0, at), ...x.shape.slice(at + 1)], 'int32');
      const outer = sizeOf(x.shape.slice(0, at));
      if (out.values.length > 0)
        argExtreme(
          backend.floats(x),
          out.values,
          outer,
          x.shape[at],
          sizeOf(x.shape.slice(at + 1)),
          smallest,
        );
      return out.info;
    };
  };
  extreme('ArgMax', 0);
  extreme('ArgMin', 1);

  const generalCumsum = fallback('Cumsum');
  kernels.Cumsum = (inputs, attrs) => {
    const { x } = inputs;
    if (x.dtype !== 'float32' || x.shape.length === 0) return generalCumsum({ inputs, attrs, backend });
    const axis = Number(attrs.axis);
    const at = axis < 0 ? axis + x.shape.length : axis;
    const out = backend.output(x.shape, 'float32');
    const outer = sizeOf(x.shape.slice(0, at));
    const inner = sizeOf(x.shape.slice(at + 1));
    cumsum(
      backend.floats(x),
      out.values,
      outer,
      x.shape[at],
      inner,
      attrs.exclusive ? 1 : 0,
      attrs.reverse ? 1 : 0,
    );
    return out.info;
  };

  return kernels;
}
