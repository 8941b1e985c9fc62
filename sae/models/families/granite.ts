/** Granite 3 (IBM, 2024): a Llama with multipliers on embeddings, scores, what layers write, and logits. */
import { z } from 'zod';
import { groupedFields, knownActivation, positive, size, sizesOf } from './commonFields.ts';
import { describeDecoder, rmsNormed } from './describeDecoder.ts';
import { family } from './family.ts';
import { llamaNames } from './llama.ts';
import { ropeFields, ropeOf, rotary } from './rotaryPositions.ts';

export const granite = family({
  architectures: ['GraniteForCausalLM', 'GraniteModel'],
  models: 'Granite 3 dense',
  fields: z.looseObject({
    ...groupedFields,
    ...ropeFields,
    max_position_embeddings: size.default(2048),
    rms_norm_eps: positive.default(1e-6),
    hidden_act: z.string().default('silu'),
    attention_bias: z.boolean().default(false),
    mlp_bias: z.boolean().default(false),
    embedding_multiplier: z.number().default(1),
    attention_multiplier: z.number().default(1),
    residual_multiplier: z.number().default(1),
    logits_scaling: positive.default(1),
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
    return describeDecoder('granite', sizes, {
      norm: rmsNormed,
      embedding: { multiplier: hf.embedding_multiplier },
      residualMultiplier: hf.residual_multiplier,
      logitMultiplier: 1 / hf.logits_scaling,
      biases: {
        queryKeyValue: hf.attention_bias,
        attentionOutput: hf.attention_bias,
        mlpIn: hf.mlp_bias,
        mlpOut: hf.mlp_bias,
      },
      attention: () => ({ rotary: turning, scale: hf.attention_multiplier }),
    });
  },
  names: () => llamaNames,
});
