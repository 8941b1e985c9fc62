import { tf } from '../../../tensor/tf.ts';
import { sizeOf } from '../../kernelInputs.ts';
import type { KernelContext, NativeKernels } from './kernelContext.ts';

/** Gathers, their transpose (sums by segment) and one-hot rows. */
export function indexingKernels({ backend, library, fallback }: KernelContext): NativeKernels {
  const { gather, segmentSum, storedGather } = library.functions;
  const generalGather = fallback('GatherV2');
  const generalSum = fallback('UnsortedSegmentSum');
  const generalOneHot = fallback('OneHot');

  return {
    GatherV2: (inputs, attrs) => {
      const { x, indices } = inputs;
      if (x.dtype === 'bool' || indices.dtype !== 'int32' || Number(attrs.batchDims ?? 0) !== 0)
        return generalGather({ inputs, attrs, backend });
      const axis = tf.util.parseAxisParam(Number(attrs.axis), x.shape)[0];
      const outer = x.shape.slice(0, axis);
      const inner = x.shape.slice(axis + 1);
      const index = backend.integers(indices);
      const n = x.shape[axis];
      const check = (bad: number) => {
        if (bad >= 0) throw new Error(`GatherV2: the index value ${index[bad]} is not in [0, ${n - 1}].`);
      };
      const stored = axis === 0 && x.shape.length === 2 ? backend.stored(x) : undefined;
      if (stored) {
        const rows = backend.output([...indices.shape, ...inner], 'float32');
        check(
          storedGather(stored.format, stored.bytes(), index, rows.values, n, index.length, sizeOf(inner)),
        );
        return rows.info;
      }
      const out = backend.output([...outer, ...indices.shape, ...inner], x.dtype);
      check(gather(backend.values(x), index, out.values, sizeOf(outer), n, index.length, sizeOf(inner)));
      return out.info;
    },

    UnsortedSegmentSum: (inputs, attrs) => {
      const { x, segmentIds } = inputs;
      if (x.dtype !== 'float32' || segmentIds.dtype !== 'int32' || segmentIds.shape.length !== 1)
        return generalSum({ inputs, attrs, backend });
      const segments = Number(attrs.numSegments);
      const out = backend.output([segments, ...x.shape.slice(1)], 'float32');
      const ids = backend.integers(segmentIds);
      segmentSum(backend.floats(x), ids, out.values, ids.length, segments, sizeOf(x.shape.slice(1)));
      return out.info;
    },

    OneHot: (inputs, attrs) => {
      const { indices } = inputs;
      const { depth, onValue, offValue, dtype } = attrs;
      if (indices.dtype !== 'int32' || dtype === 'bool') return generalOneHot({ inputs, attrs, backend });
      const classes = Number(depth);
      const out = backend.output([...indices.shape, classes], String(dtype));
      out.values.fill(Number(offValue));
      const on = Number(onValue);
      backend.values(indices).forEach((index, i) => {
        if (index >= 0 && index < classes) out.values[i * classes + index] = on;
      });
      return out.info;
    },
  };
}
