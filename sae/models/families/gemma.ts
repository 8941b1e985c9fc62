/**
 * Gemma 1, 2 and the text models of 3 (2403.08295, 2408.00118, 2503.19786): gains stored less 1, embeddings times √d,
 * GELU gates. Gemma 2 norms outputs too, caps scores and logits softly and lets every other layer see a window; Gemma 3
 * norms queries and keys instead of capping scores, and its sliding layers turn by a base of their own.
 */
import { z } from 'zod';
import type { ModelConfig, Norm } from '../modelConfig.ts';
import {
  groupedFields,
  knownActivation,
  layerTypes,
  positive,
  size,
  sizesOf,
  slidingLayers,
} from './commonFields.ts';
import { describeDecoder } from './describeDecoder.ts';
import { family } from './family.ts';
import { llamaNames } from './llama.ts';
import { ropeFields, ropeOf, ropeParameters, rotary } from './rotaryPositions.ts';

const norm: Norm = { kind: 'rms', gain: true, bias: false, gainOffset: 1 };

const fields = {
  ...groupedFields,
  num_key_value_heads: size.default(16),
  head_dim: size.default(256),
  max_position_embeddings: size.default(8192),
  rms_norm_eps: positive.default(1e-6),
  attention_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(true),
  use_bidirectional_attention: z.literal(false).nullish(),
};

const slidingFields = {
  ...fields,
  num_key_value_heads: size.default(4),
  hidden_activation: z.string().default('gelu_pytorch_tanh'),
  /** The older spelling, which is not read any more. */
  hidden_act: z.unknown().optional(),
  query_pre_attn_scalar: positive.default(256),
  sliding_window: size.nullable().default(4096),
  layer_types: layerTypes,
};

type Common = z.infer<z.ZodObject<typeof fields>>;

const sizesFrom = (hf: Common, activation: ModelConfig['activation']) => ({
  ...sizesOf(hf),
  contextLength: hf.max_position_embeddings,
  activation,
  gated: true,
  normEpsilon: hf.rms_norm_eps,
  tiedEmbeddings: hf.tie_word_embeddings,
});

const shared = (hf: Common) => ({
  norm,
  embedding: { multiplier: Math.sqrt(hf.hidden_size) },
  biases: { queryKeyValue: hf.attention_bias, attentionOutput: hf.attention_bias },
});

export const gemma = family({
  architectures: ['GemmaForCausalLM', 'GemmaModel'],
  models: 'Gemma 1 (2B, 7B)',
  fields: z.looseObject({
    ...fields,
    ...ropeFields,
    hidden_act: z.string().default('gelu_pytorch_tanh'),
    hidden_activation: z.literal('gelu_pytorch_tanh').nullish(),
  }),
  describe(hf, refuse) {
    // The first files say gelu and mean the approximation that the models were trained with.
    const activation = hf.hidden_act === 'gelu' ? 'gelu_pytorch_tanh' : hf.hidden_act;
    const sizes = sizesFrom(hf, knownActivation(hf.hidden_activation ?? activation, refuse));
    const turning = rotary(ropeOf(hf, refuse), sizes, refuse);
    return describeDecoder('gemma', sizes, { ...shared(hf), attention: () => ({ rotary: turning }) });
  },
  names: () => llamaNames,
});

const sandwichNames = {
  ...llamaNames,
  attentionOutputNorm: 'post_attention_layernorm',
  mlpNorm: 'pre_feedforward_layernorm',
  mlpOutputNorm: 'post_feedforward_layernorm',
};

export const gemma2 = family({
  architectures: ['Gemma2ForCausalLM', 'Gemma2Model'],
  models: 'Gemma 2 (2B, 9B, 27B)',
  fields: z.looseObject({
    ...slidingFields,
    ...ropeFields,
    attn_logit_softcapping: positive.nullable().default(50),
    final_logit_softcapping: positive.nullable().default(30),
  }),
  describe(hf, refuse) {
    const sizes = sizesFrom(hf, knownActivation(hf.hidden_activation, refuse));
    const turning = rotary(ropeOf(hf, refuse), sizes, refuse);
    const sliding = slidingLayers(hf.layer_types, sizes.layers, (layer) => layer % 2 === 0, refuse);
    return describeDecoder('gemma2', sizes, {
      ...shared(hf),
      normPlacement: 'both',
      attentionSoftCap: hf.attn_logit_softcapping ?? undefined,
      logitSoftCap: hf.final_logit_softcapping ?? undefined,
      attention: (layer) => ({
        scale: hf.query_pre_attn_scalar ** -0.5,
        rotary: turning,
        window: (sliding[layer] ? hf.sliding_window : undefined) ?? undefined,
      }),
    });
  },
  names: () => sandwichNames,
});

const byLayerType = z.strictObject({
  full_attention: ropeParameters.nullish(),
  sliding_attention: ropeParameters.nullish(),
});

export const gemma3 = family({
  architectures: ['Gemma3ForCausalLM', 'Gemma3TextModel'],
  models: 'Gemma 3 text (270M, 1B)',
  fields: z.looseObject({
    ...slidingFields,
    max_position_embeddings: size.default(131_072),
    rope_theta: positive.default(1_000_000),
    rope_local_base_freq: positive.default(10_000),
    rope_scaling: ropeParameters.nullish(),
    rope_parameters: byLayerType.nullish(),
    sliding_window_pattern: size.default(6),
    /** As newer files spell it; layer_types stand beside it and are what is read. */
    _sliding_window_pattern: z.unknown().optional(),
    /** Read by no forward pass of this family. */
    attn_logit_softcapping: z.null().optional(),
    final_logit_softcapping: positive.nullish(),
  }),
  describe(hf, refuse) {
    const sizes = sizesFrom(hf, knownActivation(hf.hidden_activation, refuse));
    const { full_attention: full, sliding_attention: local } = hf.rope_parameters ?? {};
    const turning = {
      full: rotary(
        ropeOf({ rope_theta: hf.rope_theta, rope_parameters: { ...full, ...hf.rope_scaling } }, refuse),
        sizes,
        refuse,
      ),
      sliding: rotary(
        ropeOf({ rope_theta: hf.rope_local_base_freq, rope_parameters: local }, refuse),
        sizes,
        refuse,
      ),
    };
    const sliding = slidingLayers(
      hf.layer_types,
      sizes.layers,
      (layer) => (layer + 1) % hf.sliding_window_pattern !== 0,
      refuse,
    );
    return describeDecoder('gemma3_text', sizes, {
      ...shared(hf),
      normPlacement: 'both',
      queryKeyNorm: { ...norm, over: 'head', gains: 'shared' },
      logitSoftCap: hf.final_logit_softcapping ?? undefined,
      attention: (layer) => ({
        scale: hf.query_pre_attn_scalar ** -0.5,
        rotary: sliding[layer] ? turning.sliding : turning.full,
        window: (sliding[layer] ? hf.sliding_window : undefined) ?? undefined,
      }),
    });
  },
  names: () => ({ ...sandwichNames, queryNorm: 'self_attn.q_norm', keyNorm: 'self_attn.k_norm' }),
});
