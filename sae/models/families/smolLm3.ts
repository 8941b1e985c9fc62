/** SmolLM3 (Hugging Face, 2025): a Llama in which some layers have no positions at all (NoPE, 2501.18795). */
import { z } from 'zod';
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
import { family } from './family.ts';
import { llamaNames } from './llama.ts';
import { ropeFields, ropeOf, rotary } from './rotaryPositions.ts';

export const smolLm3 = family({
  architectures: ['SmolLM3ForCausalLM', 'SmolLM3Model'],
  models: 'SmolLM3',
  fields: z.looseObject({
    ...groupedFields,
    ...ropeFields,
    num_key_value_heads: size.nullable().default(4),
    max_position_embeddings: size.default(32_768),
    rms_norm_eps: positive.default(1e-6),
    hidden_act: z.string().default('silu'),
    attention_bias: z.boolean().default(false),
    mlp_bias: z.boolean().default(false),
    /** By layer: 1 for rotary positions, 0 for none. */
    no_rope_layers: z.array(z.union([z.literal(0), z.literal(1)])).nullish(),
    no_rope_layer_interval: size.default(4),
    use_sliding_window: z.boolean().default(false),
    sliding_window: size.nullish(),
    layer_types: layerTypes,
    tie_word_embeddings: z.boolean().default(true),
    /** Said by the released file, and without effect while no layer slides. */
    max_window_layers: z.unknown().optional(),
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
    const turning = rotary(ropeOf(hf, refuse, { theta: 2_000_000 }), sizes, refuse);
    const turns =
      hf.no_rope_layers?.map((flag) => flag === 1) ??
      Array.from({ length: sizes.layers }, (_, layer) => (layer + 1) % hf.no_rope_layer_interval !== 0);
    if (turns.length !== sizes.layers)
      throw refuse(`has ${turns.length} no_rope_layers, but num_hidden_layers is ${sizes.layers}`);
    const window = (hf.use_sliding_window ? hf.sliding_window : undefined) ?? undefined;
    const sliding = slidingLayers(hf.layer_types, sizes.layers, (layer) => !turns[layer], refuse);
    return describeDecoder('smollm3', sizes, {
      norm: rmsNormed,
      biases: {
        queryKeyValue: hf.attention_bias,
        attentionOutput: hf.attention_bias,
        mlpIn: hf.mlp_bias,
        mlpOut: hf.mlp_bias,
      },
      attention: (layer) => ({
        rotary: turns[layer] ? turning : undefined,
        window: sliding[layer] ? window : undefined,
      }),
    });
  },
  names: () => llamaNames,
});
