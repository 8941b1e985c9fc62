import { numbers, sizeOf, type KernelContext, type NativeKernels } from './kernelContext.ts';

/** The fused kernels of sae/ops for language models: norms, loss, attention, rotation, optimiser. */
export function languageModelKernels({ backend, library }: KernelContext): NativeKernels {
  const rmsNorm = library.bind<[unknown, unknown, unknown, number, number, number]>(
    'void lazyscope_rms_norm(void* x, void* gain, void* y, int64_t rows, int64_t d, float epsilon)',
  );
  const rmsNormGrad = library.bind<[unknown, unknown, unknown, unknown, unknown, number, number, number]>(
    'void lazyscope_rms_norm_grad(void* x, void* gain, void* dy, void* dx, void* dgain, int64_t rows, int64_t d, float epsilon)',
  );
  const layerNorm = library.bind<[unknown, unknown, unknown, unknown, number, number, number]>(
    'void lazyscope_layer_norm(void* x, void* gain, void* bias, void* y, int64_t rows, int64_t d, float epsilon)',
  );
  const layerNormGrad = library.bind<[unknown, unknown, unknown, unknown, unknown, number, number, number]>(
    'void lazyscope_layer_norm_grad(void* x, void* gain, void* dy, void* dx, void* sums, int64_t rows, int64_t d, float epsilon)',
  );
  const crossEntropy = library.bind<[unknown, unknown, unknown, number, number], number>(
    'int64_t lazyscope_cross_entropy(void* logits, void* labels, void* loss, int64_t rows, int64_t n)',
  );
  const crossEntropyGrad = library.bind<[unknown, unknown, unknown, unknown, number, number]>(
    'void lazyscope_cross_entropy_grad(void* logits, void* labels, void* dy, void* dlogits, int64_t rows, int64_t n)',
  );
  type AttentionSizes = [number, number, number, number, number, number, number];
  const sizes =
    'int64_t batch, int64_t heads, int64_t kv_heads, int64_t seq, int64_t keys, int64_t head, float scale';
  const attention = library.bind<[unknown, unknown, unknown, unknown, unknown, ...AttentionSizes]>(
    `void lazyscope_attention(void* q, void* k, void* v, void* y, void* entropies, ${sizes})`,
  );
  const attentionGrad = library.bind<
    [unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown, ...AttentionSizes]
  >(
    `void lazyscope_attention_grad(void* q, void* k, void* v, void* y, void* dy, void* dq, void* dk, void* dv, ${sizes})`,
  );
  const rotary = library.bind<[unknown, unknown, unknown, unknown, number, number, number, number]>(
    'void lazyscope_rotary(void* x, void* cosine, void* sine, void* y, int64_t rows, int64_t seq, int64_t head, int32_t inverse)',
  );
  const adamW = library.bind<[unknown, unknown, unknown, unknown, ...number[]]>(
    'void lazyscope_adamw(void* p, void* gradient, void* m, void* v, int64_t count, float lr, float beta1, float beta2, float epsilon, float decay, float c1, float c2, float gradient_scale)',
  );
  const sumOfSquares = library.bind<[unknown, number], number>(
    'double lazyscope_sum_of_squares(void* x, int64_t count)',
  );

  const rowsOf = (shape: readonly number[]) => {
    const d = shape[shape.length - 1];
    return { d, rows: d === 0 ? 0 : sizeOf(shape) / d };
  };
  const attentionSizes = (q: readonly number[], k: readonly number[], scale: unknown): AttentionSizes => [
    q[0], q[1], k[1], q[2], k[2], q[3], Number(scale),
  ]; // prettier-ignore

  return {
    RmsNorm: ({ x, gain }, { epsilon }) => {
      const { rows, d } = rowsOf(x.shape);
      const out = backend.output(x.shape, 'float32');
      rmsNorm(backend.values(x), backend.values(gain), out.values, rows, d, Number(epsilon));
      return out.info;
    },

    RmsNormGrad: ({ x, gain, dy }, { epsilon }) => {
      const { rows, d } = rowsOf(x.shape);
      const dx = backend.output(x.shape, 'float32');
      const dGain = backend.output([d], 'float32');
      rmsNormGrad(
        backend.values(x), backend.values(gain), backend.values(dy), dx.values, dGain.values,
        rows, d, Number(epsilon),
      ); // prettier-ignore
      return [dx.info, dGain.info];
    },

    LayerNorm: ({ x, gain, bias }, { epsilon }) => {
      const { rows, d } = rowsOf(x.shape);
      const out = backend.output(x.shape, 'float32');
      layerNorm(
        backend.values(x), backend.values(gain), backend.values(bias), out.values, rows, d, Number(epsilon),
      ); // prettier-ignore
      return out.info;
    },

    LayerNormGrad: ({ x, gain, dy }, { epsilon }) => {
      const { rows, d } = rowsOf(x.shape);
      const dx = backend.output(x.shape, 'float32');
      const dGain = backend.output([d], 'float32');
      const dBias = backend.output([d], 'float32');
      const sums = new Float32Array(2 * d);
      layerNormGrad(
        backend.values(x), backend.values(gain), backend.values(dy), dx.values, sums, rows, d, Number(epsilon),
      ); // prettier-ignore
      dGain.values.set(sums.subarray(0, d));
      dBias.values.set(sums.subarray(d));
      return [dx.info, dGain.info, dBias.info];
    },

    SoftmaxCrossEntropy: ({ logits, labels }) => {
      const [rows, n] = logits.shape;
      const ids = backend.values(labels);
      const out = backend.output([rows], 'float32');
      const bad = crossEntropy(backend.values(logits), ids, out.values, rows, n);
      if (bad >= 0)
        throw new Error(`softmaxCrossEntropy: label ${ids[bad]} of row ${bad} is not in [0, ${n - 1}].`);
      return out.info;
    },

    SoftmaxCrossEntropyGrad: ({ logits, labels, dy }) => {
      const [rows, n] = logits.shape;
      const out = backend.output(logits.shape, 'float32');
      crossEntropyGrad(
        backend.values(logits), backend.values(labels), backend.values(dy), out.values, rows, n,
      ); // prettier-ignore
      return out.info;
    },

    CausalAttention: ({ q, k, v }, { scale }) => {
      const out = backend.output(q.shape, 'float32');
      attention(
        backend.values(q), backend.values(k), backend.values(v), out.values, null,
        ...attentionSizes(q.shape, k.shape, scale),
      ); // prettier-ignore
      return out.info;
    },

    CausalAttentionWithEntropy: ({ q, k, v }, { scale }) => {
      const out = backend.output(q.shape, 'float32');
      const entropies = backend.output(q.shape.slice(0, 2), 'float32');
      attention(
        backend.values(q), backend.values(k), backend.values(v), out.values, entropies.values,
        ...attentionSizes(q.shape, k.shape, scale),
      ); // prettier-ignore
      return [out.info, entropies.info];
    },

    CausalAttentionGrad: ({ q, k, v, y, dy }, { scale }) => {
      const dq = backend.output(q.shape, 'float32');
      const dk = backend.output(k.shape, 'float32');
      const dv = backend.output(v.shape, 'float32');
      attentionGrad(
        backend.values(q), backend.values(k), backend.values(v), backend.values(y), backend.values(dy),
        dq.values, dk.values, dv.values, ...attentionSizes(q.shape, k.shape, scale),
      ); // prettier-ignore
      return [dq.info, dk.info, dv.info];
    },

    RotaryEmbedding: ({ x, cos, sin }, { inverse }) => {
      const [batch, heads, seq, head] = x.shape;
      const out = backend.output(x.shape, 'float32');
      rotary(
        backend.values(x), backend.values(cos), backend.values(sin), out.values,
        batch * heads, seq, head, inverse ? 1 : 0,
      ); // prettier-ignore
      return out.info;
    },

    AdamWStep: ({ parameter, gradient, m, v }, attributes) => {
      const p = backend.ownValues(parameter);
      const names = [
        'learningRate', 'beta1', 'beta2', 'epsilon', 'decay', 'correction1', 'correction2', 'gradientScale',
      ]; // prettier-ignore
      const options = names.map((name) => numbers(attributes[name])[0]);
      adamW(p, backend.values(gradient), backend.ownValues(m), backend.ownValues(v), p.length, ...options);
      return [];
    },

    SumOfSquares: ({ x }) => {
      const out = backend.output([], 'float32');
      const values = backend.values(x);
      out.values[0] = sumOfSquares(values, values.length);
      return out.info;
    },
  };
}
