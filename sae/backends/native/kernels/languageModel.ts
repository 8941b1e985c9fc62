import type { Tf } from '../../../tensor/tf.ts';
import type { Attention } from '../nativeFunctions.ts';
import { writable } from '../pointers.ts';
import { numbers, sizeOf } from '../../kernelInputs.ts';
import type { KernelContext, NativeKernels } from './kernelContext.ts';

/** The fused kernels of sae/ops for language models: norms, loss, attention, rotation, optimiser. */
export function languageModelKernels({ backend, library }: KernelContext): NativeKernels {
  const { adamw, attention, attentionGrad, crossEntropy, crossEntropyGrad } = library.functions;
  const { layerNorm, layerNormGrad, rmsNorm, rmsNormGrad, rotary, sumOfSquares } = library.functions;

  const rowsOf = (shape: readonly number[]) => {
    const d = shape[shape.length - 1];
    return { d, rows: d === 0 ? 0 : sizeOf(shape) / d };
  };
  const attentionOf = (q: Tf.TensorInfo, k: Tf.TensorInfo, v: Tf.TensorInfo, scale: unknown): Attention => ({
    q: backend.floats(q),
    k: backend.floats(k),
    v: backend.floats(v),
    batch: q.shape[0],
    heads: q.shape[1],
    kvHeads: k.shape[1],
    seq: q.shape[2],
    keys: k.shape[2],
    head: q.shape[3],
    scale: Number(scale),
  });

  return {
    RmsNorm: ({ x, gain }, { epsilon }) => {
      const { rows, d } = rowsOf(x.shape);
      const out = backend.output(x.shape, 'float32');
      rmsNorm(backend.floats(x), backend.floats(gain), out.values, rows, d, Number(epsilon));
      return out.info;
    },

    RmsNormGrad: ({ x, gain, dy }, { epsilon }) => {
      const { rows, d } = rowsOf(x.shape);
      const dx = backend.output(x.shape, 'float32');
      const dGain = backend.output([d], 'float32');
      rmsNormGrad(
        backend.floats(x), backend.floats(gain), backend.floats(dy), dx.values, dGain.values,
        rows, d, Number(epsilon),
      ); // prettier-ignore
      return [dx.info, dGain.info];
    },

    LayerNorm: ({ x, gain, bias }, { epsilon }) => {
      const { rows, d } = rowsOf(x.shape);
      const out = backend.output(x.shape, 'float32');
      layerNorm(
        backend.floats(x), backend.floats(gain), backend.floats(bias), out.values, rows, d, Number(epsilon),
      ); // prettier-ignore
      return out.info;
    },

    LayerNormGrad: ({ x, gain, dy }, { epsilon }) => {
      const { rows, d } = rowsOf(x.shape);
      const dx = backend.output(x.shape, 'float32');
      const dGain = backend.output([d], 'float32');
      const dBias = backend.output([d], 'float32');
      const sums = writable(new Float32Array(2 * d));
      layerNormGrad(
        backend.floats(x), backend.floats(gain), backend.floats(dy), dx.values, sums, rows, d, Number(epsilon),
      ); // prettier-ignore
      dGain.values.set(sums.subarray(0, d));
      dBias.values.set(sums.subarray(d));
      return [dx.info, dGain.info, dBias.info];
    },

    SoftmaxCrossEntropy: ({ logits, labels }) => {
      const [rows, n] = logits.shape;
      const ids = backend.integers(labels);
      const out = backend.output([rows], 'float32');
      const bad = crossEntropy(backend.floats(logits), ids, out.values, rows, n);
      if (bad >= 0)
        throw new Error(`softmaxCrossEntropy: label ${ids[bad]} of row ${bad} is not in [0, ${n - 1}].`);
      return out.info;
    },

    SoftmaxCrossEntropyGrad: ({ logits, labels, dy }) => {
      const [rows, n] = logits.shape;
      const out = backend.output(logits.shape, 'float32');
      crossEntropyGrad(
        backend.floats(logits), backend.integers(labels), backend.floats(dy), out.values, rows, n,
      ); // prettier-ignore
      return out.info;
    },

    CausalAttention: ({ q, k, v }, { scale }) => {
      const out = backend.output(q.shape, 'float32');
      attention(attentionOf(q, k, v, scale), out.values, null);
      return out.info;
    },

    CausalAttentionWithEntropy: ({ q, k, v }, { scale }) => {
      const out = backend.output(q.shape, 'float32');
      const entropies = backend.output(q.shape.slice(0, 2), 'float32');
      attention(attentionOf(q, k, v, scale), out.values, entropies.values);
      return [out.info, entropies.info];
    },

    CausalAttentionGrad: ({ q, k, v, y, dy }, { scale }) => {
      const dq = backend.output(q.shape, 'float32');
      const dk = backend.output(k.shape, 'float32');
      const dv = backend.output(v.shape, 'float32');
      const from = attentionOf(q, k, v, scale);
      attentionGrad(from, backend.floats(y), backend.floats(dy), dq.values, dk.values, dv.values);
      return [dq.info, dk.info, dv.info];
    },

    RotaryEmbedding: ({ x, cos, sin }, { inverse }) => {
      const [batch, heads, seq, head] = x.shape;
      const out = backend.output(x.shape, 'float32');
      rotary(
        backend.floats(x), backend.floats(cos), backend.floats(sin), out.values,
        batch * heads, seq, head, inverse ? 1 : 0,
      ); // prettier-ignore
      return out.info;
    },

    AdamWStep: ({ parameter, gradient, m, v }, attributes) => {
      const p = backend.ownValues(parameter);
      const option = (name: string) => numbers(attributes[name])[0];
      adamw(p, backend.floats(gradient), backend.ownValues(m), backend.ownValues(v), p.length, {
        rate: option('learningRate'),
        beta1: option('beta1'),
        beta2: option('beta2'),
        epsilon: option('epsilon'),
        decay: option('decay'),
        correction1: option('correction1'),
        correction2: option('correction2'),
        gradientScale: option('gradientScale'),
      });
      return [];
    },

    SumOfSquares: ({ x }) => {
      const out = backend.output([], 'float32');
      const values = backend.floats(x);
      out.values[0] = sumOfSquares(values, values.length);
      return out.info;
    },
  };
}
