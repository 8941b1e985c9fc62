/**
 * Llama and its relatives. llama.cpp turns neighbouring components of a head together, and `transformers` component i with
 * i + head/2, so the converter reorders the rows of the query and key weights; here they go back.
 */
import type { GgufFile } from '../../formats/gguf/ggufFile.ts';
import { blocksHave, planByName } from './ggufArchitecture.ts';
import type { GgufArchitecture } from './ggufArchitecture.ts';
import type { GgufFields } from './ggufFields.ts';
import { ropeScaling } from './ropeScaling.ts';

export const llamaNames = {
  token_embd: 'model.embed_tokens',
  output_norm: 'model.norm',
  output: 'lm_head',
  'blk.{}.attn_norm': 'model.layers.{}.input_layernorm',
  'blk.{}.attn_q': 'model.layers.{}.self_attn.q_proj',
  'blk.{}.attn_k': 'model.layers.{}.self_attn.k_proj',
  'blk.{}.attn_v': 'model.layers.{}.self_attn.v_proj',
  'blk.{}.attn_output': 'model.layers.{}.self_attn.o_proj',
  'blk.{}.ffn_norm': 'model.layers.{}.post_attention_layernorm',
  'blk.{}.ffn_gate': 'model.layers.{}.mlp.gate_proj',
  'blk.{}.ffn_up': 'model.layers.{}.mlp.up_proj',
  'blk.{}.ffn_down': 'model.layers.{}.mlp.down_proj',
};

/** Fields that Llama's relatives share. */
export function llamaFields(fields: GgufFields, file: GgufFile): Record<string, unknown> {
  const heads = fields.number(fields.own('attention.head_count'));
  const d = fields.number(fields.own('embedding_length'));
  const headWidth = fields.optionalNumber(fields.own('attention.key_length')) ?? d / heads;
  const valueWidth = fields.optionalNumber(fields.own('attention.value_length')) ?? headWidth;
  if (valueWidth !== headWidth)
    throw fields.refuse(
      `has keys of width ${headWidth} and values of width ${valueWidth}, which can't be run`,
    );
  const rotary = fields.optionalNumber(fields.own('rope.dimension_count')) ?? headWidth;
  return {
    hidden_size: d,
    intermediate_size: fields.number(fields.own('feed_forward_length')),
    num_hidden_layers: fields.number(fields.own('block_count')),
    num_attention_heads: heads,
    num_key_value_heads: fields.optionalNumber(fields.own('attention.head_count_kv')) ?? heads,
    head_dim: headWidth,
    max_position_embeddings: fields.number(fields.own('context_length')),
    rope_theta: fields.optionalNumber(fields.own('rope.freq_base')) ?? 10_000,
    ...(rotary === headWidth ? {} : { partial_rotary_factor: rotary / headWidth }),
    ...ropeScaling(fields, file),
    tie_word_embeddings: !file.has('output.weight'),
  };
}

export const ggufLlama: GgufArchitecture = {
  modelType: 'llama',
  harmless: ['vocab_size'],
  config(fields, file) {
    const experts = fields.optionalNumber(fields.own('expert_count')) ?? 0;
    if (experts > 0) throw fields.refuse(`has ${experts} experts a layer, which can't be run yet`);
    // Zero where a dense model was converted by a version that writes it all the same.
    fields.optionalNumber(fields.own('expert_used_count'));
    return {
      architectures: ['LlamaForCausalLM'],
      ...llamaFields(fields, file),
      hidden_act: 'silu',
      rms_norm_eps: fields.number(fields.own('attention.layer_norm_rms_epsilon')),
      attention_bias: blocksHave(file, 'attn_q.bias'),
      mlp_bias: blocksHave(file, 'ffn_up.bias'),
    };
  },
  weights(fields, file) {
    const heads = fields.number(fields.own('attention.head_count'));
    const keyValueHeads = fields.optionalNumber(fields.own('attention.head_count_kv')) ?? heads;
    const plans = planByName(fields, file, { ...llamaNames, rope_freqs: 'rope_freqs' }, (stored, name) => {
      if (name.includes('.q_proj.')) return { rowOrder: interleaved(file.shape(stored)[0] / heads) };
      if (name.includes('.k_proj.')) return { rowOrder: interleaved(file.shape(stored)[0] / keyValueHeads) };
      return {};
    });
    // The frequencies of Llama 3.1's long context; ropeScaling.ts makes fields of config.json of them.
    plans.delete('rope_freqs.weight');
    return plans;
  },
};

/** Where a row of a head with halves [a₀ a₁ …][b₀ b₁ …] lies among a₀ b₀ a₁ b₁ …. */
function interleaved(headWidth: number): (row: number) => number {
  const half = headWidth / 2;
  return (row) => {
    const within = row % headWidth;
    return row - within + (within < half ? 2 * within : 2 * (within - half) + 1);
  };
}
