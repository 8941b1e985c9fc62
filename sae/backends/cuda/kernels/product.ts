import type { Tf } from '../../../tensor/tf.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import type { KernelRequest } from '../programs.ts';
import type { StoredNumbers } from '../storedNumbers.ts';
import { applyUnary, type UnaryName } from './elementwise.ts';
import { sizeOf } from '../../kernelInputs.ts';
import { productShape } from '../../productShape.ts';
import { across, type CudaKernels, type KernelContext } from './kernelContext.ts';

/** Numbers of stored weights that are floats at one time, 256 MB. */
const widenedAtOnce = 2 ** 26;

const biasRelu: KernelRequest = { file: 'languageModel.cu', name: 'biasRelu' };

/** Functions that may follow a product, besides relu and none, by the names of TF.js. */
const activations: Readonly<Record<string, UnaryName>> = {
  relu6: 'Relu6',
  sigmoid: 'Sigmoid',
  elu: 'Elu',
  leakyrelu: 'LeakyRelu',
};

/** BatchMatMul and its fusion with bias and activation. */
export function productKernels(context: KernelContext): CudaKernels {
  const { backend, fallback } = context;

  interface Operands {
    a: Tf.TensorInfo;
    b: Tf.TensorInfo;
    transposeA: boolean;
    transposeB: boolean;
  }

  /** Null where there is no kernel: other types, and batches that broadcast in part. */
  function product({ a, b, transposeA, transposeB }: Operands): Tf.TensorInfo | null {
    if (a.dtype !== 'float32' || b.dtype !== 'float32') return null;
    const sizes = productShape(a.shape, b.shape, { transposeA, transposeB });
    if (!sizes) return null;
    const { m, n, k, batchA, batchB, batch, shape } = sizes;
    const out = backend.output(shape, 'float32');
    if (out.buffer.bytes === 0) return out.info;
    if (k === 0) {
      backend.fill(out.buffer, 0, batch * m * n);
      return out.info;
    }
    // Many matrices times one are one tall product.
    const tall = batchB === 1 && !transposeA;
    const stored = tall && transposeB ? backend.stored(b) : undefined;
    if (stored) {
      storedProduct(stored, backend.buffer(a), out.buffer, batch * m);
      return out.info;
    }
    backend.products.multiply({
      m: tall ? batch * m : m,
      n,
      k,
      a: backend.buffer(a),
      b: backend.buffer(b),
      c: out.buffer,
      transposeA,
      transposeB,
      batch: tall ? 1 : batch,
      strideA: batchA === 1 ? 0 : m * k,
      strideB: batchB === 1 ? 0 : k * n,
      strideC: m * n,
      type: backend.productType,
    });
    return out.info;
  }

  /** c [m, n] = a [m, k] · bᵀ for stored weights b [n, k], of which some rows are widened at a time. */
  function storedProduct(stored: StoredNumbers, a: DeviceBuffer, c: DeviceBuffer, m: number): void {
    const { rows: n, width: k } = stored;
    const atOnce = Math.max(64, Math.floor(widenedAtOnce / k));
    const widened = backend.scratch(4 * Math.min(n, atOnce) * k);
    for (let first = 0; first < n; first += atOnce) {
      const count = Math.min(atOnce, n - first);
      stored.widen(widened, first, count);
      backend.products.multiply({
        m, n: count, k, a, b: widened, c, cOffset: first, ldc: n, transposeB: true, type: backend.productType,
      }); // prettier-ignore
    }
    backend.give(widened);
  }

  const generalProduct = fallback('BatchMatMul');
  const generalFused = fallback('_FusedMatMul');
  const transposed = (attrs: Tf.NamedAttrMap) => ({
    transposeA: attrs.transposeA === true,
    transposeB: attrs.transposeB === true,
  });
  return {
    BatchMatMul: (inputs, attrs) =>
      product({ a: inputs.a, b: inputs.b, ...transposed(attrs) }) ?? generalProduct(inputs, attrs),

    _FusedMatMul: (inputs, attrs) => {
      const { a, b } = inputs;
      const bias: Tf.TensorInfo | undefined = inputs.bias;
      const name = String(attrs.activation ?? 'linear');
      const relu = name === 'relu';
      const after = activations[name];
      const n = b.shape[b.shape.length - (attrs.transposeB ? 2 : 1)];
      const biasFits =
        !bias || (bias.dtype === 'float32' && sizeOf(bias.shape) === n && bias.shape.at(-1) === n);
      const known = relu || name === 'linear' || after !== undefined;
      const made = known && biasFits ? product({ a, b, ...transposed(attrs) }) : null;
      if (!made) return generalFused(inputs, attrs);
      const count = sizeOf(made.shape);
      if (bias || relu)
        backend.programs.run(biasRelu, across(backend, count), [
          backend.buffer(made),
          bias ? backend.buffer(bias) : null,
          count,
          n,
          relu ? 1 : 0,
        ]);
      if (after) applyUnary(context, after, made, made, Number(attrs.leakyreluAlpha ?? 0));
      return made;
    },
  };
}
