import type { Tf } from '../../../tensor/tf.ts';
import { numbers, sizeOf, type KernelContext, type NativeKernels } from './kernelContext.ts';
import { scaleOperation } from './elementwise.ts';

/** Numbers as in source/reduce.cc. */
const operations = { Sum: 0, Prod: 1, Max: 2, Min: 3 } as const;

export function reductionKernels({ backend, library, fallback }: KernelContext): NativeKernels {
  const boxed = '(int32_t op, void* x, void* out, int64_t outer, int64_t n, int64_t inner)';
  type Reduce = [number, unknown, unknown, number, number, number];
  const reduceFloat = library.bind<Reduce>(`void lazyscope_reduce${boxed}`);
  const reduceInt = library.bind<Reduce>(`void lazyscope_reduce_int${boxed}`);
  const scale = library.bind<[number, unknown, unknown, number, number]>(
    'void lazyscope_unary(int32_t op, void* x, void* y, int64_t count, float parameter)',
  );
  const softmax = library.bind<[unknown, unknown, number, number]>(
    'void lazyscope_softmax(void* x, void* y, int64_t rows, int64_t n)',
  );
  const argExtreme = library.bind<[unknown, unknown, number, number, number, number]>(
    'void lazyscope_arg_extreme(void* x, void* out, int64_t outer, int64_t n, int64_t inner, int32_t smallest)',
  );
  const cumsum = library.bind<[unknown, unknown, number, number, number, number, number]>(
    'void lazyscope_cumsum(void* x, void* y, int64_t outer, int64_t n, int64_t inner, int32_t exclusive, int32_t reverse)',
  );
  const kernels: NativeKernels = {};

  /** One pass for each run of neighbouring reduced axes, the last first. */
  function reduce(operation: number, x: Tf.TensorInfo, axes: number[], keepDims: boolean): Tf.TensorInfo {
    const reduced = x.shape.map(() => axes.length === 0);
    for (const axis of axes) reduced[axis < 0 ? axis + x.shape.length : axis] = true;
    const shape = x.shape.flatMap((size, i) => (reduced[i] ? (keepDims ? [1] : []) : [size]));
    const run = x.dtype === 'int32' ? reduceInt : reduceFloat;

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
      const out = backend.output(last ? shape : sizes, x.dtype);
      if (out.values.length > 0) run(operation, backend.values(current), out.values, outer, n, inner);
      if (current !== x) backend.disposeIntermediateTensorInfo(current);
      current = out.info;
      if (last) return current;
    } while (pending >= 0);
    return current;
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
    const values = backend.values(out);
    scale(scaleOperation, values, values, values.length, values.length / sizeOf(x.shape));
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
    if (out.values.length > 0) softmax(backend.values(logits), out.values, out.values.length / n, n);
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
          backend.values(x),
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
      backend.values(x),
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
