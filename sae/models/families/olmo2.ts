/** OLMo 2 (2501.00656): norms on what attention and MLP write instead of what they read, and on all queries and keys. */
import { z } from 'zod';
import { groupedFields, knownActivation, positive, size, sizesOf } from './commonFields.ts';
import { describeDecoder, rmsNormed } from './describeDecoder.ts';
import { family } from './family.ts';
import { llamaNames } from './llama.ts';
import { ropeFields, ropeOf, rotary } from './rotaryPositions.ts';

export const olmo2 = family({
  architectures: ['Olmo2ForCausalLM', 'Olmo2Model'],
  models: 'OLMo 2',
  fields: z.looseObject({
    ...groupedFields,
    ...ropeFields,
    max_position_embeddings: size.default(2048),
    rms_norm_eps: positive.default(1e-5),
    hidden_act: z.string().default('silu'),
    attention_bias: z.boolean().default(false),
    tie_word_embeddings: z.boolean().default(false),
  }),
  describe(hf, refuse) {
    const sizes = {
      ...sizesOf(hf),
      contextLength: hf.max_position_embeddings,
      activation: knownActivation(hf.hidden_act, refuse),
      gated: true,
      normEpsilon: hf.rms_norm_eps,
      tiedEmbeddings: hf.tie_word_embeddings,
    };
    const turning = rotary(ropeOf(hf, refuse), sizes, refuse);
    return describeDecoder('olmo2', sizes, {
      norm: rmsNormed,
      normPlacement: 'output',
      queryKeyNorm: { ...rmsNormed, over: 'allHeads', gains: 'shared' },
      biases: { queryKeyValue: hf.attention_bias, attentionOutput: hf.attention_bias },
      attention: () => ({ rotary: turning }),
    });
  },
  names: () => ({
    ...llamaNames,
    queryNorm: 'self_attn.q_norm',
    keyNorm: 'self_attn.k_norm',
    attentionOutputNorm: 'post_attention_layernorm',
    mlpOutputNorm: 'post_feedforward_layernorm',
  }),
});
