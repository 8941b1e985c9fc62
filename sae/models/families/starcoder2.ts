/** StarCoder 2 (2402.19173): grouped-query attention in a sliding window, LayerNorm, an ungated MLP, biases. */
import { z } from 'zod';
import { groupedFields, knownActivation, positive, size, sizesOf } from './commonFields.ts';
import { describeDecoder, layerNormed } from './describeDecoder.ts';
import { family } from './family.ts';
import { llamaNames } from './llama.ts';
import { ropeFields, ropeOf, rotary } from './rotaryPositions.ts';

const unread = z.unknown().optional();

export const starcoder2 = family({
  architectures: ['Starcoder2ForCausalLM', 'Starcoder2Model'],
  models: 'StarCoder 2',
  fields: z.looseObject({
    ...groupedFields,
    ...ropeFields,
    num_key_value_heads: size.nullable().default(2),
    max_position_embeddings: size.default(4096),
    norm_epsilon: positive.default(1e-5),
    hidden_act: z.string().default('gelu_pytorch_tanh'),
    sliding_window: size.nullish(),
    use_bias: z.boolean().default(true),
    tie_word_embeddings: z.boolean().default(true),
    /** Said by the released files, and true of every model of this family. */
    norm_type: z.literal('layer_norm').optional(),
    mlp_type: z.literal('default').optional(),
    layer_norm_epsilon: unread,
  }),
  describe(hf, refuse) {
    const sizes = {
      ...sizesOf(hf),
      contextLength: hf.max_position_embeddings,
      activation: knownActivation(hf.hidden_act, refuse),
      gated: false,
      normEpsilon: hf.norm_epsilon,
      tiedEmbeddings: hf.tie_word_embeddings,
    };
    const turning = rotary(ropeOf(hf, refuse), sizes, refuse);
    const window = hf.sliding_window ?? undefined;
    const bias = hf.use_bias;
    return describeDecoder('starcoder2', sizes, {
      norm: layerNormed,
      biases: { queryKeyValue: bias, attentionOutput: bias, mlpIn: bias, mlpOut: bias },
      attention: () => ({ rotary: turning, window }),
    });
  },
  names: () => ({ ...llamaNames, mlpIn: { gate: 'mlp.c_fc' }, mlpOut: 'mlp.c_proj' }),
});
