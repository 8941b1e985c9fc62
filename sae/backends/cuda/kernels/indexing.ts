import { tf, type Tf } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { KernelRequest } from '../programs.ts';
import { isStored, numbers, sizeOf } from '../../kernelInputs.ts';
import { across, oneEach, wordOf, type CudaKernels, type KernelContext } from './kernelContext.ts';

const movement = (name: string): KernelRequest => ({ file: 'movement.cu', name });
const [gather, flatIndices, oneHot, oneHotBool] = ['gather', 'flatIndices', 'oneHot', 'oneHotBool'].map(
  movement,
);
const segments = (name: string): KernelRequest => ({ file: 'segments.cu', name });
const [rankRows, sumsBefore, listRows, sumSegments] = [
  'rankRows',
  'sumsBefore',
  'listRows',
  'sumSegments',
].map(segments);

/** Ranking rows takes time with their square, so more of them are added up on the host. */
const mostRows = 2 ** 18;

/** Gathers, their transpose (sums by segment) and one-hot rows. */
export function indexingKernels({ backend, fallback }: KernelContext): CudaKernels {
  const { programs } = backend;

  /** y [outer, places, inner] = x [outer, n, inner] at the indices. */
  function gatherInto(
    x: Tf.TensorInfo,
    index: DeviceBuffer,
    y: DeviceBuffer,
    ...[outer, n, places, inner]: [number, number, number, number]
  ): void {
    const four = x.dtype !== 'bool' && inner % 4 === 0;
    const bytes = x.dtype === 'bool' ? 1 : four ? 16 : 4;
    const width = four ? inner / 4 : inner;
    const count = outer * places * width;
    programs.run(gather, across(backend, count), [
      bytes,
      backend.buffer(x),
      index,
      y,
      count,
      n,
      places,
      width,
    ]);
  }

  /** y [segments, inner] = the sums of the rows of x [rows, inner] with each segment's number; others are left out. */
  function addSegments(
    x: DeviceBuffer,
    ids: DeviceBuffer,
    y: DeviceBuffer,
    { rows, count, inner }: { rows: number; count: number; inner: number },
  ): void {
    const rank = backend.scratch(4 * rows);
    const list = backend.scratch(4 * rows);
    const counts = backend.scratch(4 * count);
    const starts = backend.scratch(4 * (count + 1));
    backend.fill(counts, 0, count);
    programs.run(rankRows, oneEach(rows), [ids, rank, counts, rows, count]);
    programs.run(sumsBefore, { grid: 1, block: 1024 }, [counts, starts, count]);
    programs.run(listRows, oneEach(rows), [ids, rank, starts, list, rows, count]);
    const block = Math.min(256, Math.ceil(Math.max(1, inner) / 32) * 32);
    programs.run(sumSegments, { grid: inner === 0 ? 0 : count, block }, [x, starts, list, y, inner]);
    for (const buffer of [rank, list, counts, starts]) backend.give(buffer);
  }

  /** The place of each index of `depth` numbers among the leading axes of a shape; the caller gives it back. */
  function places(indices: Tf.TensorInfo, shape: readonly number[], depth: number): DeviceBuffer {
    const count = depth === 0 ? 0 : sizeOf(indices.shape) / depth;
    const flat = backend.scratch(4 * count);
    const sizes = Array.from({ length: 6 }, (_, i) => (i < depth ? shape[i] : 1));
    programs.run(flatIndices, across(backend, count), [
      backend.buffer(indices),
      flat,
      count,
      depth,
      ...sizes,
    ]);
    return flat;
  }

  const generalGather = fallback('GatherV2');
  const generalGatherNd = fallback('GatherNd');
  const generalScatter = fallback('ScatterNd');
  const generalSum = fallback('UnsortedSegmentSum');
  const generalOneHot = fallback('OneHot');

  return {
    GatherV2: (inputs, attrs) => {
      const { x, indices } = inputs;
      if (!isStored(x.dtype) || indices.dtype !== 'int32' || Number(attrs.batchDims ?? 0) !== 0)
        return generalGather(inputs, attrs);
      const axis = tf.util.parseAxisParam(Number(attrs.axis), x.shape)[0];
      const n = x.shape[axis];
      const known = backend.onHost(indices);
      const bad = known?.find((index) => index < 0 || index >= n);
      if (bad !== undefined) throw new Error(`GatherV2: the index value ${bad} is not in [0, ${n - 1}].`);
      const outer = x.shape.slice(0, axis);
      const inner = x.shape.slice(axis + 1);
      const out = backend.output([...outer, ...indices.shape, ...inner], x.dtype);
      const index = backend.buffer(indices);
      const stored = axis === 0 && x.shape.length === 2 ? backend.stored(x) : undefined;
      if (stored) stored.gather(out.buffer, index, sizeOf(indices.shape));
      else gatherInto(x, index, out.buffer, sizeOf(outer), n, sizeOf(indices.shape), sizeOf(inner));
      return out.info;
    },

    GatherNd: (inputs, attrs) => {
      const { params, indices } = inputs;
      const depth = indices.shape.at(-1) ?? 0;
      if (!isStored(params.dtype) || indices.dtype !== 'int32' || depth === 0 || depth > 6)
        return generalGatherNd(inputs, attrs);
      const inner = params.shape.slice(depth);
      const out = backend.output([...indices.shape.slice(0, -1), ...inner], params.dtype);
      const count = sizeOf(indices.shape) / depth;
      const index = places(indices, params.shape, depth);
      gatherInto(params, index, out.buffer, 1, sizeOf(params.shape.slice(0, depth)), count, sizeOf(inner));
      backend.give(index);
      return out.info;
    },

    ScatterNd: (inputs, attrs) => {
      const { indices, updates } = inputs;
      const shape = numbers(attrs.shape);
      const depth = indices.shape.length < 1 ? 1 : (indices.shape.at(-1) ?? 1);
      const rows = depth === 0 ? 0 : sizeOf(indices.shape) / depth;
      // A single number for many places is TF.js's to spread.
      const covered = updates.dtype === 'float32' && indices.dtype === 'int32' && depth > 0 && depth <= 6;
      if (!covered || rows > mostRows || sizeOf(updates.shape) === 1) return generalScatter(inputs, attrs);
      const out = backend.output(shape, 'float32');
      const index = places(indices, shape, depth);
      const [count, inner] = [sizeOf(shape.slice(0, depth)), sizeOf(shape.slice(depth))];
      addSegments(backend.buffer(updates), index, out.buffer, { rows, count, inner });
      backend.give(index);
      return out.info;
    },

    UnsortedSegmentSum: (inputs, attrs) => {
      const { x, segmentIds } = inputs;
      const rows = sizeOf(segmentIds.shape);
      if (
        x.dtype !== 'float32' ||
        segmentIds.dtype !== 'int32' ||
        segmentIds.shape.length !== 1 ||
        rows > mostRows
      )
        return generalSum(inputs, attrs);
      const count = Number(attrs.numSegments);
      const rest = x.shape.slice(1);
      const out = backend.output([count, ...rest], 'float32');
      addSegments(backend.buffer(x), backend.buffer(segmentIds), out.buffer, {
        rows,
        count,
        inner: sizeOf(rest),
      });
      return out.info;
    },

    OneHot: (inputs, attrs) => {
      const { indices } = inputs;
      const { depth, onValue, offValue, dtype } = attrs;
      const type = String(dtype);
      if (indices.dtype !== 'int32' || !isStored(type)) return generalOneHot(inputs, attrs);
      const classes = Number(depth);
      const out = backend.output([...indices.shape, classes], type);
      const count = sizeOf(indices.shape) * classes;
      const word = (value: unknown) => (type === 'bool' ? Number(value) : wordOf(Number(value), type));
      programs.run(type === 'bool' ? oneHotBool : oneHot, across(backend, count), [
        backend.buffer(indices),
        out.buffer,
        count,
        classes,
        word(onValue),
        word(offValue),
      ]);
      return out.info;
    },
  };
}
