/** Nemotron-4 and Minitron (2402.16819, 2407.14679): squared ReLU, half of each head turns, LayerNorm with gains stored less 1. */
import { z } from 'zod';
import { groupedFields, knownActivation, positive, size, sizesOf } from './commonFields.ts';
import { describeDecoder, layerNormed } from './describeDecoder.ts';
import { family } from './family.ts';
import { llamaNames } from './llama.ts';
import { ropeFields, ropeOf, rotary } from './rotaryPositions.ts';

export const nemotron = family({
  architectures: ['NemotronForCausalLM', 'NemotronModel'],
  models: 'Nemotron-4, Minitron',
  fields: z.looseObject({
    ...groupedFields,
    ...ropeFields,
    max_position_embeddings: size.default(4096),
    norm_eps: positive.default(1e-5),
    hidden_act: z.string().default('relu2'),
    attention_bias: z.boolean().default(false),
    mlp_bias: z.boolean().default(false),
    tie_word_embeddings: z.boolean().default(false),
  }),
  describe(hf, refuse) {
    const sizes = {
      ...sizesOf(hf),
      contextLength: hf.max_position_embeddings,
      activation: knownActivation(hf.hidden_act, refuse),
      gated: false,
      normEpsilon: hf.norm_eps,
      tiedEmbeddings: hf.tie_word_embeddings,
    };
    const turning = rotary(ropeOf(hf, refuse, { share: 0.5 }), sizes, refuse);
    return describeDecoder('nemotron', sizes, {
      norm: { ...layerNormed, gainOffset: 1 },
      biases: {
        queryKeyValue: hf.attention_bias,
        attentionOutput: hf.attention_bias,
        mlpIn: hf.mlp_bias,
        mlpOut: hf.mlp_bias,
      },
      attention: () => ({ rotary: turning }),
    });
  },
  names: () => ({ ...llamaNames, mlpIn: { gate: 'mlp.up_proj' } }),
});
