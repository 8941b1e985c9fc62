/** The config.json files of published models are read, with all the fields that change nothing. */
import { expect, test } from 'vitest';
import { parseModelConfig } from './readModelConfig.ts';

const records = {
  torch_dtype: 'bfloat16',
  transformers_version: '4.40.1',
  use_cache: true,
  initializer_range: 0.02,
};
const summary = {
  summary_activation: null, summary_first_dropout: 0.1, summary_proj_to_labels: true, summary_type: 'cls_index',
  summary_use_proj: true, task_specific_params: { 'text-generation': { do_sample: true } },
}; // prettier-ignore

const published: Record<string, [config: object, expected: object]> = {
  gpt2: [
    {
      architectures: ['GPT2LMHeadModel'], model_type: 'gpt2', activation_function: 'gelu_new', attn_pdrop: 0.1, bos_token_id: 50256,
      embd_pdrop: 0.1, eos_token_id: 50256, initializer_range: 0.02, layer_norm_epsilon: 1e-5, n_ctx: 1024, n_embd: 768, n_head: 12,
      n_layer: 12, n_positions: 1024, resid_pdrop: 0.1, vocab_size: 50257, _num_labels: 1, ...summary,
    },
    { neurons: 3072, headWidth: 64, tiedEmbeddings: true, learnedPositions: { offset: 0 } },
  ],
  'pythia-70m': [
    {
      ...records, architectures: ['GPTNeoXForCausalLM'], model_type: 'gpt_neox', bos_token_id: 0, classifier_dropout: 0.1, eos_token_id: 0,
      hidden_act: 'gelu', hidden_size: 512, intermediate_size: 2048, layer_norm_eps: 1e-5, max_position_embeddings: 2048,
      num_attention_heads: 8, num_hidden_layers: 6, rotary_emb_base: 10000, rotary_pct: 0.25, tie_word_embeddings: false,
      use_parallel_residual: true, vocab_size: 50304,
    },
    { parallel: 'ownNorms', activation: 'gelu', attention: expect.arrayContaining([expect.objectContaining({ rotary: expect.objectContaining({ dims: 16 }) })]) },
  ],
  'opt-350m': [
    {
      ...records, architectures: ['OPTForCausalLM'], model_type: 'opt', _remove_final_layer_norm: false, activation_dropout: 0.0,
      activation_function: 'relu', attention_dropout: 0.0, bos_token_id: 2, do_layer_norm_before: false, dropout: 0.1, eos_token_id: 2,
      ffn_dim: 4096, hidden_size: 1024, init_std: 0.02, layerdrop: 0.0, max_position_embeddings: 2048, num_attention_heads: 16,
      num_hidden_layers: 24, pad_token_id: 1, prefix: '</s>', vocab_size: 50272, word_embed_proj_dim: 512,
    },
    { normPlacement: 'after', finalNorm: false, embedding: { width: 512, multiplier: 1, norm: false } },
  ],
  'llama-3.1': [
    {
      ...records, architectures: ['LlamaForCausalLM'], model_type: 'llama', attention_bias: false, attention_dropout: 0.0, bos_token_id: 128000,
      eos_token_id: [128001, 128008, 128009], hidden_act: 'silu', hidden_size: 4096, intermediate_size: 14336, max_position_embeddings: 131072,
      mlp_bias: false, num_attention_heads: 32, num_hidden_layers: 32, num_key_value_heads: 8, pretraining_tp: 1, rms_norm_eps: 1e-5,
      rope_scaling: { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_position_embeddings: 8192, rope_type: 'llama3' },
      rope_theta: 500000.0, tie_word_embeddings: false, vocab_size: 128256,
    },
    { keyValueHeads: 8, contextLength: 131072, eosIds: [128001, 128008, 128009] },
  ],
  smollm2: [
    {
      ...records, architectures: ['LlamaForCausalLM'], model_type: 'llama', attention_bias: false, attention_dropout: 0.0, bos_token_id: 0,
      eos_token_id: 0, hidden_act: 'silu', hidden_size: 576, intermediate_size: 1536, is_llama_config: true, max_position_embeddings: 8192,
      num_attention_heads: 9, num_hidden_layers: 30, num_key_value_heads: 3, pretraining_tp: 1, rms_norm_eps: 1e-5, rope_interleaved: false,
      rope_scaling: null, rope_theta: 100000, tie_word_embeddings: true, vocab_size: 49152,
      'transformers.js_config': { kv_cache_dtype: { fp16: 'float16' } },
    },
    { headWidth: 64, keyValueHeads: 3 },
  ],
  'gemma-2b': [
    {
      ...records, architectures: ['GemmaForCausalLM'], model_type: 'gemma', attention_bias: false, attention_dropout: 0.0, bos_token_id: 2,
      eos_token_id: 1, head_dim: 256, hidden_act: 'gelu', hidden_activation: 'gelu_pytorch_tanh', hidden_size: 2048, intermediate_size: 16384,
      max_position_embeddings: 8192, num_attention_heads: 8, num_hidden_layers: 18, num_key_value_heads: 1, pad_token_id: 0,
      rms_norm_eps: 1e-6, rope_scaling: null, rope_theta: 10000.0, vocab_size: 256000,
    },
    { activation: 'gelu_new', tiedEmbeddings: true, embedding: { multiplier: Math.sqrt(2048), norm: false, width: 2048 } },
  ],
  'gemma-3-1b': [
    {
      ...records, architectures: ['Gemma3ForCausalLM'], model_type: 'gemma3_text', attention_bias: false, attention_dropout: 0.0,
      attn_logit_softcapping: null, bos_token_id: 2, cache_implementation: 'hybrid', eos_token_id: [1, 106], final_logit_softcapping: null,
      head_dim: 256, hidden_activation: 'gelu_pytorch_tanh', hidden_size: 1152, intermediate_size: 6912, max_position_embeddings: 32768,
      num_attention_heads: 4, num_hidden_layers: 26, num_key_value_heads: 1, pad_token_id: 0, query_pre_attn_scalar: 256, rms_norm_eps: 1e-6,
      rope_local_base_freq: 10000, rope_scaling: null, rope_theta: 1000000, sliding_window: 512, sliding_window_pattern: 6, vocab_size: 262144,
    },
    { headWidth: 256, normPlacement: 'both' },
  ],
  'qwen2.5-0.5b': [
    {
      ...records, architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2', attention_dropout: 0.0, bos_token_id: 151643, eos_token_id: 151643,
      hidden_act: 'silu', hidden_size: 896, intermediate_size: 4864, max_position_embeddings: 32768, max_window_layers: 24,
      num_attention_heads: 14, num_hidden_layers: 24, num_key_value_heads: 2, rms_norm_eps: 1e-6, rope_theta: 1000000.0, sliding_window: 32768,
      tie_word_embeddings: true, use_mrope: false, use_sliding_window: false, vocab_size: 151936,
    },
    { biases: { queryKeyValue: true, attentionOutput: false, mlpIn: false, mlpOut: false, unembedding: false } },
  ],
  'phi-2': [
    {
      ...records, architectures: ['PhiForCausalLM'], model_type: 'phi', attention_dropout: 0.0, bos_token_id: 50256, embd_pdrop: 0.0,
      eos_token_id: 50256, hidden_act: 'gelu_new', hidden_size: 2560, intermediate_size: 10240, layer_norm_eps: 1e-5,
      max_position_embeddings: 2048, num_attention_heads: 32, num_hidden_layers: 32, num_key_value_heads: 32, partial_rotary_factor: 0.4,
      qk_layernorm: false, resid_pdrop: 0.1, rope_scaling: null, rope_theta: 10000.0, tie_word_embeddings: false, vocab_size: 51200,
    },
    { parallel: 'sharedNorm', headWidth: 80 },
  ],
  'phi-3-mini': [
    {
      ...records, architectures: ['Phi3ForCausalLM'], model_type: 'phi3', attention_bias: false, attention_dropout: 0.0,
      auto_map: { AutoConfig: 'configuration_phi3.Phi3Config' }, bos_token_id: 1, embd_pdrop: 0.0, eos_token_id: 32000, hidden_act: 'silu',
      hidden_size: 3072, intermediate_size: 8192, max_position_embeddings: 4096, num_attention_heads: 32, num_hidden_layers: 32,
      num_key_value_heads: 32, original_max_position_embeddings: 4096, pad_token_id: 32000, resid_pdrop: 0.0, rms_norm_eps: 1e-5,
      rope_scaling: null, rope_theta: 10000.0, sliding_window: 2047, tie_word_embeddings: false, vocab_size: 32064,
    },
    { contextLength: 4096, gated: true },
  ],
  'falcon-7b': [
    {
      ...records, architectures: ['FalconForCausalLM'], model_type: 'falcon', alibi: false, apply_residual_connection_post_layernorm: false,
      attention_dropout: 0.0, auto_map: {}, bias: false, bos_token_id: 11, eos_token_id: 11, hidden_dropout: 0.0, hidden_size: 4544,
      layer_norm_epsilon: 1e-5, multi_query: true, new_decoder_architecture: false, num_attention_heads: 71, num_hidden_layers: 32,
      parallel_attn: true, vocab_size: 65024,
    },
    { keyValueHeads: 1, headWidth: 64, parallel: 'sharedNorm' },
  ],
  'bloom-560m': [
    {
      architectures: ['BloomForCausalLM'], model_type: 'bloom', apply_residual_connection_post_layernorm: false, attention_dropout: 0.0,
      attention_softmax_in_fp32: true, bias_dropout_fusion: true, bos_token_id: 1, eos_token_id: 2, hidden_dropout: 0.0,
      initializer_range: 0.02, layer_norm_epsilon: 1e-5, masked_softmax_fusion: true, n_embed: 1024, n_inner: null, n_layer: 24,
      num_attention_heads: 16, offset_alibi: 100, pad_token_id: 3, pretraining_tp: 1, seq_length: 2048, skip_bias_add: true,
      skip_bias_add_qkv: false, transformers_version: '4.20.0', unk_token_id: 0, use_cache: true, vocab_size: 250880,
    },
    { neurons: 4096, heads: 16, alibi: { scaled: false, bfloat16: false } },
  ],
  'gpt-j-6b': [
    {
      ...records, architectures: ['GPTJForCausalLM'], model_type: 'gptj', activation_function: 'gelu_new', attn_pdrop: 0.0, bos_token_id: 50256,
      embd_pdrop: 0.0, eos_token_id: 50256, gradient_checkpointing: false, layer_norm_epsilon: 1e-5, n_embd: 4096, n_head: 16, n_inner: null,
      n_layer: 28, n_positions: 2048, resid_pdrop: 0.0, rotary: true, rotary_dim: 64, scale_attn_weights: true, tie_word_embeddings: false,
      tokenizer_class: 'GPT2Tokenizer', vocab_size: 50400, ...summary,
    },
    { headWidth: 256, parallel: 'sharedNorm' },
  ],
  'gpt-neo-125m': [
    {
      architectures: ['GPTNeoForCausalLM'], model_type: 'gpt_neo', activation_function: 'gelu_new', attention_dropout: 0,
      attention_layers: Array.from({ length: 12 }, (_, i) => (i % 2 ? 'local' : 'global')), attention_types: [[['global', 'local'], 6]],
      bos_token_id: 50256, embed_dropout: 0, eos_token_id: 50256, gradient_checkpointing: false, hidden_size: 768, initializer_range: 0.02,
      intermediate_size: null, layer_norm_epsilon: 1e-5, max_position_embeddings: 2048, num_heads: 12, num_layers: 12, resid_dropout: 0,
      use_cache: true, vocab_size: 50257, window_size: 256, ...summary,
    },
    { neurons: 3072, attention: expect.arrayContaining([{ scale: 1, window: undefined }, { scale: 1, window: 256 }]) },
  ],
}; // prettier-ignore

test.each(Object.entries(published))('%s', (name, [config, expected]) => {
  expect(parseModelConfig(config, name)).toMatchObject(expected);
});
