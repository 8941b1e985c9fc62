/**
 * Command R (Cohere, 2024): attention and MLP side by side behind one LayerNorm without bias, neighbouring components turn,
 * logits times a constant; the larger model norms queries and keys with gains by head.
 */
import { z } from 'zod';
import { groupedFields, knownActivation, positive, size, sizesOf } from './commonFields.ts';
import { describeDecoder, layerNormed } from './describeDecoder.ts';
import { family } from './family.ts';
import { llamaNames } from './llama.ts';
import { ropeFields, ropeOf, rotary } from './rotaryPositions.ts';

export const cohere = family({
  architectures: ['CohereForCausalLM', 'CohereModel'],
  models: 'Command R, Command R+',
  fields: z.looseObject({
    ...groupedFields,
    ...ropeFields,
    max_position_embeddings: size.default(8192),
    layer_norm_eps: positive.default(1e-5),
    hidden_act: z.string().default('silu'),
    attention_bias: z.boolean().default(false),
    use_qk_norm: z.boolean().default(false),
    logit_scale: z.number().default(0.0625),
    tie_word_embeddings: z.boolean().default(true),
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
    const turning = rotary(ropeOf(hf, refuse, { theta: 500_000 }), { ...sizes, pairs: 'neighbours' }, refuse);
    const norm = { ...layerNormed, bias: false };
    return describeDecoder('cohere', sizes, {
      norm,
      parallel: 'sharedNorm',
      queryKeyNorm: hf.use_qk_norm ? { ...norm, over: 'head', gains: 'byHead' } : undefined,
      logitMultiplier: hf.logit_scale,
      biases: { queryKeyValue: hf.attention_bias, attentionOutput: hf.attention_bias },
      attention: () => ({ rotary: turning }),
    });
  },
  names: () => ({ ...llamaNames, queryNorm: 'self_attn.q_norm', keyNorm: 'self_attn.k_norm' }),
});
