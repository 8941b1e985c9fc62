/** Mistral: a Llama whose queries see a sliding window (Jiang et al., 2310.06825). */
import { z } from 'zod';
import { groupedFields, knownActivation, positive, size, sizesOf } from './commonFields.ts';
import { describeDecoder, rmsNormed } from './describeDecoder.ts';
import { family } from './family.ts';
import { llamaNames } from './llama.ts';
import { ropeFields, ropeOf, rotary } from './rotaryPositions.ts';

export const mistral = family({
  architectures: ['MistralForCausalLM', 'MistralModel'],
  models: 'Mistral 7B, Mistral Nemo',
  fields: z.looseObject({
    ...groupedFields,
    ...ropeFields,
    num_key_value_heads: size.nullable().default(8),
    max_position_embeddings: size.default(4096 * 32),
    rms_norm_eps: positive.default(1e-6),
    hidden_act: z.string().default('silu'),
    sliding_window: size.nullable().default(4096),
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
    const window = hf.sliding_window ?? undefined;
    return describeDecoder('mistral', sizes, {
      norm: rmsNormed,
      attention: () => ({ rotary: turning, window }),
    });
  },
  names: () => llamaNames,
});
