/**
 * The Llama family: RMSNorm, rotary positions, grouped-query attention, gated MLP. Linear weights are stored [out, in].
 * Sources: Touvron et al., 2302.13971; Su et al., 2104.09864; Ainslie et al., 2305.13245; Shazeer, 2002.05202.
 */
import { z } from 'zod';
import type { ModelConfig, ModelSizes, Rotary } from '../modelConfig.ts';
import { groupedFields, knownActivation, positive, size, sizesOf } from './commonFields.ts';
import { describeDecoder, rmsNormed } from './describeDecoder.ts';
import { family } from './family.ts';
import type { DecoderNames } from './family.ts';
import { ropeFields, ropeOf, rotary } from './rotaryPositions.ts';

export interface LlamaChoices {
  turning: Rotary;
  attentionBias: boolean;
  mlpBias: boolean;
}

/** A Llama of any size. */
export function llamaDecoder(
  sizes: ModelSizes,
  { turning, attentionBias, mlpBias }: LlamaChoices,
): ModelConfig {
  return describeDecoder('llama', sizes, {
    norm: rmsNormed,
    biases: {
      queryKeyValue: attentionBias,
      attentionOutput: attentionBias,
      mlpIn: mlpBias,
      mlpOut: mlpBias,
    },
    attention: () => ({ rotary: turning }),
  });
}

/** As most families after Llama call their tensors. */
export const llamaNames: DecoderNames = {
  prefix: 'model.',
  buffers: /rotary_emb\.inv_freq$/,
  embedding: 'model.embed_tokens',
  finalNorm: 'model.norm',
  unembedding: 'lm_head',
  block: 'model.layers.{layer}',
  attentionNorm: 'input_layernorm',
  queryKeyValue: { query: 'self_attn.q_proj', key: 'self_attn.k_proj', value: 'self_attn.v_proj' },
  attentionOutput: 'self_attn.o_proj',
  mlpNorm: 'post_attention_layernorm',
  mlp: 'mlp',
  mlpIn: { gate: 'mlp.gate_proj', up: 'mlp.up_proj' },
  mlpOut: 'mlp.down_proj',
  stored: 'outIn',
};

export const llama = family({
  architectures: ['LlamaForCausalLM', 'LlamaModel'],
  models: 'Llama 1–3.3, SmolLM 1 and 2, TinyLlama, Yi; models trained here',
  fields: z.looseObject({
    ...groupedFields,
    ...ropeFields,
    max_position_embeddings: size.default(2048),
    rms_norm_eps: positive.default(1e-6),
    hidden_act: z.string().default('silu'),
    attention_bias: z.boolean().default(false),
    mlp_bias: z.boolean().default(false),
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
    return llamaDecoder(sizes, {
      turning: rotary(ropeOf(hf, refuse), sizes, refuse),
      attentionBias: hf.attention_bias,
      mlpBias: hf.mlp_bias,
    });
  },
  names: () => llamaNames,
  toHuggingFace: (config) => ({
    hidden_size: config.d,
    intermediate_size: config.neurons,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyValueHeads,
    head_dim: config.headWidth,
    max_position_embeddings: config.contextLength,
    hidden_act: config.activation,
    rms_norm_eps: config.normEpsilon,
    rope_theta: config.attention[0].rotary?.theta,
    attention_bias: config.biases.queryKeyValue,
    mlp_bias: config.biases.mlpIn,
  }),
});
