/**
 * Qwen 2 and 2.5 (Yang et al., 2407.10671): Llama with biases on queries, keys and values. Qwen 3 (2505.09388): without them,
 * queries and keys normed head by head. Later layers may see a sliding window.
 */
import { z } from 'zod';
import type { ModelConfig } from '../modelConfig.ts';
import {
  groupedFields,
  knownActivation,
  layerTypes,
  positive,
  size,
  sizesOf,
  slidingLayers,
} from './commonFields.ts';
import { describeDecoder, rmsNormed } from './describeDecoder.ts';
import type { DecoderChoices } from './describeDecoder.ts';
import { family } from './family.ts';
import type { Refuse } from './family.ts';
import { llamaNames } from './llama.ts';
import { ropeFields, ropeOf, rotary } from './rotaryPositions.ts';

const fields = z.looseObject({
  ...groupedFields,
  ...ropeFields,
  num_key_value_heads: size.nullable().default(32),
  max_position_embeddings: size.default(32_768),
  rms_norm_eps: positive.default(1e-6),
  hidden_act: z.string().default('silu'),
  use_sliding_window: z.boolean().default(false),
  sliding_window: size.nullable().default(4096),
  max_window_layers: z.int().nonnegative().default(28),
  layer_types: layerTypes,
  tie_word_embeddings: z.boolean().default(false),
});

function describe(
  name: string,
  hf: z.infer<typeof fields>,
  refuse: Refuse,
  choices: Partial<DecoderChoices>,
): ModelConfig {
  const sizes = {
    ...sizesOf(hf),
    contextLength: hf.max_position_embeddings,
    activation: knownActivation(hf.hidden_act, refuse),
    gated: true,
    normEpsilon: hf.rms_norm_eps,
    tiedEmbeddings: hf.tie_word_embeddings,
  };
  const turning = rotary(ropeOf(hf, refuse), sizes, refuse);
  const window = (hf.use_sliding_window ? hf.sliding_window : undefined) ?? undefined;
  const sliding = slidingLayers(
    hf.layer_types,
    sizes.layers,
    (layer) => layer >= hf.max_window_layers,
    refuse,
  );
  return describeDecoder(name, sizes, {
    norm: rmsNormed,
    attention: (layer) => ({ rotary: turning, window: sliding[layer] ? window : undefined }),
    ...choices,
  });
}

export const qwen2 = family({
  architectures: ['Qwen2ForCausalLM', 'Qwen2Model'],
  models: 'Qwen 1.5, 2, 2.5',
  fields,
  describe: (hf, refuse) => describe('qwen2', hf, refuse, { biases: { queryKeyValue: true } }),
  names: () => llamaNames,
});

export const qwen3 = family({
  architectures: ['Qwen3ForCausalLM', 'Qwen3Model'],
  models: 'Qwen 3 dense',
  fields: fields.extend({ attention_bias: z.boolean().default(false), head_dim: size.default(128) }),
  describe: (hf, refuse) =>
    describe('qwen3', hf, refuse, {
      biases: { queryKeyValue: hf.attention_bias, attentionOutput: hf.attention_bias },
      queryKeyNorm: { ...rmsNormed, over: 'head', gains: 'shared' },
    }),
  names: () => ({ ...llamaNames, queryNorm: 'self_attn.q_norm', keyNorm: 'self_attn.k_norm' }),
});
