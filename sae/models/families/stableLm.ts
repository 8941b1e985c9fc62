/** StableLM 2 (2402.17834): a Llama with LayerNorm; a quarter of each head turns; variants run attention and MLP side by side. */
import { z } from 'zod';
import { knownActivation, positive, size, sizeFields, sizesOf } from './commonFields.ts';
import { describeDecoder, layerNormed } from './describeDecoder.ts';
import { family } from './family.ts';
import { llamaNames } from './llama.ts';
import { ropeFields, ropeOf, rotary } from './rotaryPositions.ts';

export const stableLm = family({
  architectures: ['StableLmForCausalLM', 'StableLmModel'],
  models: 'StableLM 3B, StableLM 2',
  fields: z.looseObject({
    ...sizeFields,
    num_key_value_heads: size.default(32),
    ...ropeFields,
    max_position_embeddings: size.default(4096),
    layer_norm_eps: positive.default(1e-5),
    hidden_act: z.string().default('silu'),
    use_qkv_bias: z.boolean().default(false),
    qk_layernorm: z.boolean().default(false),
    use_parallel_residual: z.boolean().default(false),
    tie_word_embeddings: z.boolean().default(false),
  }),
  describe(hf, refuse) {
    const sizes = {
      ...sizesOf(hf),
      contextLength: hf.max_position_embeddings,
      activation: knownActivation(hf.hidden_act, refuse),
      gated: true,
      normEpsilon: hf.layer_norm_eps,
      tiedEmbeddings: hf.tie_word_embeddings,
    };
    const turning = rotary(ropeOf(hf, refuse, { share: 0.25 }), sizes, refuse);
    return describeDecoder('stablelm', sizes, {
      norm: layerNormed,
      parallel: hf.use_parallel_residual && 'sharedNorm',
      queryKeyNorm: hf.qk_layernorm
        ? { ...layerNormed, bias: false, over: 'head', gains: 'apart' }
        : undefined,
      biases: { queryKeyValue: hf.use_qkv_bias },
      attention: () => ({ rotary: turning }),
    });
  },
  names: () => ({ ...llamaNames, queryNorm: 'self_attn.q_layernorm', keyNorm: 'self_attn.k_layernorm' }),
});
