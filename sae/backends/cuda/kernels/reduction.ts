import type { Tf } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { KernelRequest, Launch } from '../programs.ts';
import { numbers, sizeOf } from '../../kernelInputs.ts';
import {
  across,
  blockPerRow,
  oneEach,
  type CudaKernel,
  type CudaKernels,
  type KernelContext,
} from './kernelContext.ts';

/** The numbers that these operations have in source/reduction.cu. */
const operations = { Sum: 0, Prod: 1, Max: 2, Min: 3 } as const;

const kernel = (name: string): KernelRequest => ({ file: 'reduction.cu', name });
const rows = { float32: kernel('reduceRows'), int32: kernel('reduceRowsInt') };
const columns = { float32: kernel('reduceColumns'), int32: kernel('reduceColumnsInt') };
const [reduceFlags, argExtreme, cumsum, softmax, topK] = [
  kernel('reduceFlags'),
  kernel('argExtreme'),
  kernel('cumsum'),
  kernel('softmax'),
  { file: 'topK.cu', name: 'topK' },
];

/** Longer reductions are cut into pieces of this length, so that more than one block works on each. */
const rowPiece = 16_384;
const columnPiece = 512;
/** The longest list that topk sorts in the shared memory of a block, of eight bytes an entry. */
const mostOfTopK = 4096;

export function reductionKernels({ backend, fallback }: KernelContext): CudaKernels {
  const { programs } = backend;
  const kernels: CudaKernels = {};

  /** One pass for each run of neighbouring reduced axes, the last first; the result is multiplied by `factor`. */
  function reduce(
    operation: number,
    x: Tf.TensorInfo,
    axes: readonly number[],
    { keepDims, factor = 1 }: { keepDims: boolean; factor?: number },
  ): Tf.TensorInfo {
    const reduced = x.shape.map(() => axes.length === 0);
    for (const axis of axes) reduced[axis < 0 ? axis + x.shape.length : axis] = true;
    const shape = x.shape.flatMap((size, i) => (reduced[i] ? (keepDims ? [1] : []) : [size]));
    let current = x;
    const sizes = [...x.shape];
    let pending = x.shape.length - 1;
    for (;;) {
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
      const out = backend.output(last ? shape : sizes, typeOf(x));
      pass(operation, typeOf(x), backend.buffer(current), out.buffer, {
        outer,
        n,
        inner,
        factor: last ? factor : 1,
      });
      if (current !== x) backend.disposeIntermediateTensorInfo(current);
      current = out.info;
      if (last) return current;
    }
  }

  /** x [outer, n, inner] to [outer, inner]. */
  function pass(
    operation: number,
    dtype: 'float32' | 'int32',
    ...[x, y, { outer, n, inner, factor }]: [
      x: DeviceBuffer,
      y: DeviceBuffer,
      shape: { outer: number; n: number; inner: number; factor: number },
    ]
  ): void {
    const launch = (from: DeviceBuffer, to: DeviceBuffer, length: number, pieces: number, scale: number) => {
      const piece = Math.ceil(length / pieces);
      const scaled = dtype === 'float32' ? [scale] : [];
      if (inner === 1) {
        const at = blockPerRow(outer * pieces, piece, 256);
        programs.run(rows[dtype], at, [operation, from, to, length, pieces, piece, ...scaled]);
        return;
      }
      const at: Launch = { grid: outer * pieces * Math.ceil(inner / 32), block: 256 };
      programs.run(columns[dtype], at, [operation, from, to, length, inner, pieces, piece, ...scaled]);
    };
    const most = inner === 1 ? rowPiece : columnPiece;
    const pieces = Math.max(1, Math.ceil(n / most));
    if (pieces < 3) return launch(x, y, n, 1, factor);
    const parts = backend.scratch(4 * outer * pieces * inner);
    launch(x, parts, n, pieces, 1);
    launch(parts, y, pieces, 1, factor);
    backend.give(parts);
  }

  for (const [name, operation] of Object.entries(operations)) {
    const general = fallback(name);
    kernels[name] = (inputs, attrs) => {
      const { x } = inputs;
      const axes = numbers(name === 'Max' ? attrs.reductionIndices : attrs.axis);
      if (x.dtype !== 'float32' && x.dtype !== 'int32') return general(inputs, attrs);
      return reduce(operation, x, axes, { keepDims: attrs.keepDims === true });
    };
  }

  const generalMean = fallback('Mean');
  kernels.Mean = (inputs, attrs) => {
    const { x } = inputs;
    if (x.dtype !== 'float32') return generalMean(inputs, attrs);
    const axes = numbers(attrs.axis);
    const kept = x.shape.map(
      (_, i) => axes.length > 0 && !axes.includes(i) && !axes.includes(i - x.shape.length),
    );
    const n = sizeOf(x.shape.filter((_, i) => !kept[i]));
    return reduce(operations.Sum, x, axes, { keepDims: attrs.keepDims === true, factor: 1 / n });
  };

  const flags = (name: 'All' | 'Any'): CudaKernel => {
    const general = fallback(name);
    return (inputs, attrs) => {
      const { x } = inputs;
      const axes = numbers(attrs.axis).map((axis) => (axis < 0 ? axis + x.shape.length : axis));
      const reduced = axes.length === 0 ? x.shape.map((_, i) => i) : axes.toSorted((a, b) => a - b);
      const [first, last] = [reduced[0] ?? 0, reduced.at(-1) ?? -1];
      if (x.dtype !== 'bool' || last - first + 1 !== reduced.length) return general(inputs, attrs);
      const keepDims = attrs.keepDims === true;
      const shape = x.shape.flatMap((size, i) => (i >= first && i <= last ? (keepDims ? [1] : []) : [size]));
      const out = backend.output(shape, 'bool');
      const [outer, inner] = [sizeOf(x.shape.slice(0, first)), sizeOf(x.shape.slice(last + 1))];
      const n = sizeOf(x.shape.slice(first, last + 1));
      programs.run(reduceFlags, oneEach(outer * inner), [
        name === 'All' ? 1 : 0,
        backend.buffer(x),
        out.buffer,
        outer,
        n,
        inner,
      ]);
      return out.info;
    };
  };
  kernels.All = flags('All');
  kernels.Any = flags('Any');

  const generalSoftmax = fallback('Softmax');
  kernels.Softmax = (inputs, attrs) => {
    const { logits } = inputs;
    const last = logits.shape.length - 1;
    if (logits.dtype !== 'float32' || (attrs.dim !== last && attrs.dim !== -1))
      return generalSoftmax(inputs, attrs);
    const out = backend.output(logits.shape, 'float32');
    const n = logits.shape[last];
    const count = n === 0 ? 0 : sizeOf(logits.shape) / n;
    programs.run(softmax, blockPerRow(count, n), [backend.buffer(logits), out.buffer, n]);
    return out.info;
  };

  const extreme = (name: 'ArgMax' | 'ArgMin'): CudaKernel => {
    const general = fallback(name);
    return (inputs, attrs) => {
      const { x } = inputs;
      const axis = numbers(attrs.axis)[0] ?? 0;
      const at = axis < 0 ? axis + x.shape.length : axis;
      if (x.dtype !== 'float32' || x.shape.length === 0 || x.shape[at] === 0) return general(inputs, attrs);
      const [outer, n, inner] = [sizeOf(x.shape.slice(0, at)), x.shape[at], sizeOf(x.shape.slice(at + 1))];
      const out = backend.output([...x.shape.slice(0, at), ...x.shape.slice(at + 1)], 'int32');
      const rowwise = inner === 1;
      programs.run(argExtreme, rowwise ? blockPerRow(outer, n) : across(backend, outer * inner), [
        name === 'ArgMin' ? 1 : 0,
        rowwise ? 1 : 0,
        backend.buffer(x),
        out.buffer,
        outer,
        n,
        inner,
      ]);
      return out.info;
    };
  };
  kernels.ArgMax = extreme('ArgMax');
  kernels.ArgMin = extreme('ArgMin');

  const generalCumsum = fallback('Cumsum');
  kernels.Cumsum = (inputs, attrs) => {
    const { x } = inputs;
    if (x.dtype !== 'float32' || x.shape.length === 0) return generalCumsum(inputs, attrs);
    const axis = Number(attrs.axis);
    const at = axis < 0 ? axis + x.shape.length : axis;
    const out = backend.output(x.shape, 'float32');
    const [outer, inner] = [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at + 1))];
    programs.run(cumsum, oneEach(outer * inner), [
      backend.buffer(x),
      out.buffer,
      outer,
      x.shape[at],
      inner,
      attrs.exclusive ? 1 : 0,
      attrs.reverse ? 1 : 0,
    ]);
    return out.info;
  };

  const generalTopK = fallback('TopK');
  kernels.TopK = (inputs, attrs) => {
    const { x } = inputs;
    const k = Number(attrs.k);
    if (x.dtype !== 'float32' || k > mostOfTopK || k === 0) return generalTopK(inputs, attrs);
    const n = x.shape[x.shape.length - 1];
    const outer = x.shape.slice(0, -1);
    const values = backend.output([...outer, k], 'float32');
    const indices = backend.output([...outer, k], 'int32');
    const places = 2 ** Math.ceil(Math.log2(k));
    programs.run(topK, { ...blockPerRow(sizeOf(outer), n), sharedBytes: 8 * places }, [
      backend.buffer(x),
      values.buffer,
      indices.buffer,
      n,
      k,
      places,
    ]);
    return [values.info, indices.info];
  };

  return kernels;
}

function typeOf({ dtype }: Tf.TensorInfo): 'float32' | 'int32' {
  if (dtype === 'float32' || dtype === 'int32') return dtype;
  throw new TypeError(`Backend cuda reduces float32 and int32, not ${dtype}.`);
}
