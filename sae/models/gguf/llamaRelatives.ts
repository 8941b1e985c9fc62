/**
 * Qwen, Gemma, OLMo 2, StarCoder 2 and Phi 3: built as Llama is, under other names in places, and with rows in their own order
 * (llama.cpp turns their halves as `transformers` does).
 */
import type { GgufFile } from '../../formats/gguf/ggufFile.ts';
import { planByName } from './ggufArchitecture.ts';
import type { GgufArchitecture, TensorPlan } from './ggufArchitecture.ts';
import type { GgufFields } from './ggufFields.ts';
import { llamaFields, llamaNames } from './ggufLlama.ts';

interface Relative {
  modelType: string;
  architecture: string;
  /** Tensors that Llama lacks, or that are called otherwise. */
  names?: Readonly<Record<string, string>>;
  config(fields: GgufFields, common: Record<string, unknown>, file: GgufFile): Record<string, unknown>;
  plan?: (stored: string, name: string) => Partial<TensorPlan>;
}

function relative({ modelType, architecture, names, config, plan }: Relative): GgufArchitecture {
  return {
    modelType,
    harmless: ['vocab_size'],
    config(fields, file) {
      const common = llamaFields(fields, file);
      return { architectures: [architecture], ...common, ...config(fields, common, file) };
    },
    weights: (fields, file) => planByName(fields, file, { ...llamaNames, ...names }, plan),
  };
}

const rmsEpsilon = (fields: GgufFields) => fields.number(fields.own('attention.layer_norm_rms_epsilon'));

const headNorms = {
  'blk.{}.attn_q_norm': 'model.layers.{}.self_attn.q_norm',
  'blk.{}.attn_k_norm': 'model.layers.{}.self_attn.k_norm',
};

export const qwen2 = relative({
  modelType: 'qwen2',
  architecture: 'Qwen2ForCausalLM',
  config: (fields) => ({ rms_norm_eps: rmsEpsilon(fields), hidden_act: 'silu' }),
});

export const qwen3 = relative({
  modelType: 'qwen3',
  architecture: 'Qwen3ForCausalLM',
  names: headNorms,
  config: (fields) => ({ rms_norm_eps: rmsEpsilon(fields), hidden_act: 'silu' }),
});

/** The converter stores Gemma's gains with the 1 that `transformers` adds to them. */
const lessOne = (_: string, name: string): Partial<TensorPlan> =>
  name.endsWith('norm.weight') ? { change: (values) => values.map((value) => value - 1) } : {};

export const gemma = relative({
  modelType: 'gemma',
  architecture: 'GemmaForCausalLM',
  config: (fields) => ({ rms_norm_eps: rmsEpsilon(fields), hidden_act: 'gelu_pytorch_tanh' }),
  plan: lessOne,
});

const sandwich = {
  'blk.{}.post_attention_norm': 'model.layers.{}.post_attention_layernorm',
  'blk.{}.ffn_norm': 'model.layers.{}.pre_feedforward_layernorm',
  'blk.{}.post_ffw_norm': 'model.layers.{}.post_feedforward_layernorm',
};

/** Scores are divided by the root of this; files don't hold it, and the largest model of each generation has another. */
const queryScale = (common: Record<string, unknown>, largest: number) =>
  common['num_hidden_layers'] === largest
    ? Number(common['hidden_size']) / Number(common['num_attention_heads'])
    : common['head_dim'];

export const gemma2 = relative({
  modelType: 'gemma2',
  architecture: 'Gemma2ForCausalLM',
  names: sandwich,
  config: (fields, common) => ({
    rms_norm_eps: rmsEpsilon(fields),
    hidden_activation: 'gelu_pytorch_tanh',
    sliding_window: fields.number(fields.own('attention.sliding_window')),
    attn_logit_softcapping: fields.number(fields.own('attn_logit_softcapping')),
    final_logit_softcapping: fields.number(fields.own('final_logit_softcapping')),
    query_pre_attn_scalar: queryScale(common, 46),
  }),
  plan: lessOne,
});

export const gemma3 = relative({
  modelType: 'gemma3_text',
  architecture: 'Gemma3ForCausalLM',
  names: { ...sandwich, ...headNorms },
  config: (fields, common) => ({
    rms_norm_eps: rmsEpsilon(fields),
    hidden_activation: 'gelu_pytorch_tanh',
    sliding_window: fields.number(fields.own('attention.sliding_window')),
    rope_theta: fields.optionalNumber(fields.own('rope.freq_base')) ?? 1_000_000,
    rope_local_base_freq: fields.optionalNumber(fields.own('rope.freq_base_swa')) ?? 10_000,
    query_pre_attn_scalar: queryScale(common, 62),
  }),
  plan: lessOne,
});

export const olmo2 = relative({
  modelType: 'olmo2',
  architecture: 'Olmo2ForCausalLM',
  names: { ...sandwich, ...headNorms },
  config: (fields) => ({ rms_norm_eps: rmsEpsilon(fields), hidden_act: 'silu' }),
});

export const starcoder2 = relative({
  modelType: 'starcoder2',
  architecture: 'Starcoder2ForCausalLM',
  names: {
    'blk.{}.ffn_up': 'model.layers.{}.mlp.c_fc',
    'blk.{}.ffn_down': 'model.layers.{}.mlp.c_proj',
  },
  config: (fields, common) => ({
    norm_epsilon: fields.number(fields.own('attention.layer_norm_epsilon')),
    hidden_act: 'gelu_pytorch_tanh',
    use_bias: true,
    // The released models see 4,096 tokens back, which files don't say: within so many it makes no difference.
    max_position_embeddings: Math.min(Number(common['max_position_embeddings']), 4096),
  }),
});

export const phi3 = relative({
  modelType: 'phi3',
  architecture: 'Phi3ForCausalLM',
  names: {
    'blk.{}.attn_qkv': 'model.layers.{}.self_attn.qkv_proj',
    'blk.{}.ffn_up': 'model.layers.{}.mlp.gate_up_proj',
  },
  config(fields, common, file) {
    if (file.has('rope_factors_long.weight'))
      throw fields.refuse('has the factors of LongRoPE, which are not read from GGUF yet');
    const original = fields.optionalNumber(fields.own('rope.scaling.original_context_length'));
    return {
      rms_norm_eps: rmsEpsilon(fields),
      hidden_act: 'silu',
      original_max_position_embeddings: original ?? common['max_position_embeddings'],
      sliding_window: fields.optionalNumber(fields.own('attention.sliding_window')) ?? null,
    };
  },
});
