/** GPT-NeoX and Pythia: the converter puts all queries first, then all keys, then all values; `transformers` has them head by head. */
import { planByName } from './ggufArchitecture.ts';
import type { GgufArchitecture } from './ggufArchitecture.ts';

const names = {
  token_embd: 'gpt_neox.embed_in',
  output_norm: 'gpt_neox.final_layer_norm',
  output: 'embed_out',
  'blk.{}.attn_norm': 'gpt_neox.layers.{}.input_layernorm',
  'blk.{}.attn_qkv': 'gpt_neox.layers.{}.attention.query_key_value',
  'blk.{}.attn_output': 'gpt_neox.layers.{}.attention.dense',
  'blk.{}.ffn_norm': 'gpt_neox.layers.{}.post_attention_layernorm',
  'blk.{}.ffn_up': 'gpt_neox.layers.{}.mlp.dense_h_to_4h',
  'blk.{}.ffn_down': 'gpt_neox.layers.{}.mlp.dense_4h_to_h',
};

export const ggufGptNeoX: GgufArchitecture = {
  modelType: 'gpt_neox',
  harmless: ['vocab_size'],
  config(fields, file) {
    const d = fields.number(fields.own('embedding_length'));
    const heads = fields.number(fields.own('attention.head_count'));
    return {
      architectures: ['GPTNeoXForCausalLM'],
      hidden_size: d,
      intermediate_size: fields.number(fields.own('feed_forward_length')),
      num_hidden_layers: fields.number(fields.own('block_count')),
      num_attention_heads: heads,
      max_position_embeddings: fields.number(fields.own('context_length')),
      layer_norm_eps: fields.number(fields.own('attention.layer_norm_epsilon')),
      hidden_act: 'gelu',
      rotary_pct: fields.number(fields.own('rope.dimension_count')) / (d / heads),
      rotary_emb_base: fields.optionalNumber(fields.own('rope.freq_base')) ?? 10_000,
      use_parallel_residual: fields.flag(fields.own('use_parallel_residual')) ?? true,
      tie_word_embeddings: !file.has('output.weight'),
    };
  },
  weights(fields, file) {
    const heads = fields.number(fields.own('attention.head_count'));
    const width = fields.number(fields.own('embedding_length')) / heads;
    return planByName(fields, file, names, (stored) =>
      stored.includes('.attn_qkv.') ? { rowOrder: (row) => headRow(row, heads, width) } : {},
    );
  },
};

/** Row (head, part, i) of queries, keys and values head by head, where the parts stand one after another. */
function headRow(row: number, heads: number, width: number): number {
  const head = Math.floor(row / (3 * width));
  const part = Math.floor(row / width) % 3;
  return part * heads * width + head * width + (row % width);
}
