/**
 * Fields of config.json that change no number of a forward pass in float32, whatever they hold: records, training
 * (dropout, initialisation, losses), generation settings, caching, and names of things. What is neither here nor
 * among a family's own fields is refused, because it may change the numbers.
 */
const harmless = new Set(
  `
  model_type architectures transformers_version _name_or_path name_or_path auto_map torch_dtype dtype use_bfloat16
  tf_legacy_loss torchscript return_dict output_hidden_states output_attentions output_scores return_dict_in_generate
  _attn_implementation attn_implementation _attn_implementation_autoset _attn_implementation_internal
  experts_implementation
  use_cache cache_implementation gradient_checkpointing use_gradient_checkpointing chunk_size_feed_forward is_decoder
  pad_token_id sep_token_id cls_token_id mask_token_id unk_token_id decoder_start_token_id tokenizer_class prefix
  forced_bos_token_id forced_eos_token_id
  finetuning_task task_specific_params problem_type id2label label2id num_labels language license
  max_length min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p
  typical_p repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids
  num_return_sequences remove_invalid_values exponential_decay_length_penalty suppress_tokens begin_suppress_tokens
  initializer_range init_std initializer_factor initializer_cutoff_factor dropout attention_dropout hidden_dropout
  residual_dropout embedding_dropout resid_dropout embed_dropout activation_dropout classifier_dropout layerdrop
  attn_pdrop embd_pdrop resid_pdrop attention_probs_dropout_prob hidden_dropout_prob
  summary_type summary_use_proj summary_activation summary_proj_to_labels summary_first_dropout
  pretraining_tp slow_but_exact onnx_safe use_flash_attention use_flash_attn flash_attn unsloth_version unsloth_fixed
  training_args datasets is_llama_config transformers.js_config _num_labels model_max_length max_sequence_length
  attention_softmax_in_fp32 scale_attention_softmax_in_fp32
  `
    .trim()
    .split(/\s+/),
);

/** Fields that would change the numbers, with the only value they may have. */
const fixed = new Map<string, string>([
  ['is_encoder_decoder', 'false'],
  ['add_cross_attention', 'false'],
  ['tie_encoder_decoder', 'false'],
  ['pruned_heads', '{}'],
  ['use_mrope', 'false'],
  ['rope_interleaved', 'false'],
]);

/** Why a field can't be passed over, or undefined for one that can: harmless, or without a value. */
export function unreadField(name: string, value: unknown): string | undefined {
  if (value === null || value === undefined || harmless.has(name)) return undefined;
  const only = fixed.get(name);
  if (only === undefined) return `has the field '${name}', which is not known and may change the results`;
  if (JSON.stringify(value) === only) return undefined;
  return `has ${name} ${JSON.stringify(value)}, which is not supported`;
}
