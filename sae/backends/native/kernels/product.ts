import type { Tf } from '../../../tensor/tf.ts';
import { sizeOf } from '../../kernelInputs.ts';
import { productShape } from '../../productShape.ts';
import type { KernelContext, NativeKernels } from './kernelContext.ts';

/** BatchMatMul and its fusion with bias and activation. */
export function productKernels({ backend, library, fallback }: KernelContext): NativeKernels {
  const { gemm, storedProduct } = library.functions;

  interface Operands {
    a: Tf.TensorInfo;
    b: Tf.TensorInfo;
    bias?: Tf.TensorInfo;
    transposeA: boolean;
    transposeB: boolean;
    relu: boolean;
  }

  /** Null when C++ does not cover the case (other types, batches that broadcast in part). */
  function product({ a, b, bias, transposeA, transposeB, relu }: Operands): Tf.TensorInfo | null {
    if (a.dtype !== 'float32' || b.dtype !== 'float32') return null;
    const sizes = productShape(a.shape, b.shape, { transposeA, transposeB });
    if (!sizes) return null;
    const { m, n, k, batchA, batchB, batch, shape } = sizes;
    const out = backend.output(shape, 'float32');
    // Many matrices times one are one tall product.
    const tall = batchB === 1 && !transposeA;
    const stored = backend.stored(b);
    if (stored && batchB === 1 && transposeB && !transposeA) {
      storedProduct({
        format: stored.format,
        a: backend.floats(a),
        b: stored.bytes(),
        c: out.values,
        bias: bias ? backend.floats(bias) : null,
        m: batch * m,
        n,
        k,
        relu: relu ? 1 : 0,
      });
      return out.info;
    }
    if (out.values.length > 0)
      gemm({
        a: backend.floats(a),
        b: backend.floats(b),
        c: out.values,
        bias: bias ? backend.floats(bias) : null,
        batch: tall ? 1 : batch,
        aStride: batchA === 1 ? 0 : m * k,
        bStride: batchB === 1 ? 0 : k * n,
        m: tall ? batch * m : m,
        n,
        k,
        transposeA: transposeA ? 1 : 0,
        transposeB: transposeB ? 1 : 0,
        alpha: 1,
        beta: 0,
        relu: relu ? 1 : 0,
      });
    return out.info;
  }

  const generalProduct = fallback('BatchMatMul');
  const generalFused = fallback('_FusedMatMul');
  return {
    BatchMatMul: (inputs, attrs) =>
      product({
        a: inputs.a,
        b: inputs.b,
        transposeA: attrs.transposeA === true,
        transposeB: attrs.transposeB === true,
        relu: false,
      }) ?? generalProduct({ inputs, attrs, backend }),

    _FusedMatMul: (inputs, attrs) => {
      const { a, b } = inputs;
      const bias: Tf.TensorInfo | undefined = inputs.bias;
      const simple = attrs.activation === 'linear' || attrs.activation === 'relu';
      const n = b.shape[b.shape.length - (attrs.transposeB ? 2 : 1)];
      const biasFits =
        !bias || (bias.dtype === 'float32' && sizeOf(bias.shape) === n && bias.shape.at(-1) === n);
      const fused =
        simple && biasFits
          ? product({
              a,
              b,
              bias,
              transposeA: attrs.transposeA === true,
              transposeB: attrs.transposeB === true,
              relu: attrs.activation === 'relu',
            })
          : null;
      return fused ?? generalFused({ inputs, attrs, backend });
    },
  };
}
