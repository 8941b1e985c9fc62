import { sizeOf } from '../../kernelInputs.ts';
import { movementKernels } from '../../movementKernels.ts';
import { writable } from '../pointers.ts';
import type { KernelContext, NativeKernels } from './kernelContext.ts';

/** Boxes of elements copied between strides in C++, which merges neighbouring axes itself. */
export function nativeMovementKernels({ backend, library, fallback }: KernelContext): NativeKernels {
  const { copy: copyBox, fill } = library.functions;
  return movementKernels({
    output: (shape, dtype) => backend.output(shape, dtype),

    copy(sizes, from, to) {
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
    },

    fill({ values }, value) {
      if (values instanceof Float32Array) fill(values, values.length, value);
      else values.fill(value);
    },

    fallback: (name) => {
      const kernel = fallback(name);
      return (inputs, attrs) => kernel({ inputs, attrs, backend });
    },
  });
}
