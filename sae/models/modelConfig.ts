/**
 * config.json of a Hugging Face folder, parsed once into what the forward passes use. Keys we do not know
 * are tolerated (files carry dozens that do not change the numbers); a feature that would change the numbers
 * and is not implemented is refused by name, never ignored.
 */
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { parseActivationFunction } from './activationFunctions/activationFunctions.ts';
import type { ActivationFunctionName } from './activationFunctions/activationFunctions.ts';

interface DecoderConfig {
  vocabularySize: number;
  /** Positions the model was made for. */
  contextLength: number;
  /** Width of the residual stream. */
  d: number;
  layers: number;
  heads: number;
  /** Fewer than `heads` in grouped-query attention: consecutive query heads share one. */
  keyValueHeads: number;
  /** Width of one head. */
  headWidth: number;
  /** Width of the MLP. */
  neurons: number;
  activation: ActivationFunctionName;
  /** Whether the MLP is act(gate) ⊙ up instead of act(pre). */
  gated: boolean;
  /** ε inside the norms. */
  normEpsilon: number;
  /** Whether the unembedding is the embedding, transposed. */
  tiedEmbeddings: boolean;
  bosId?: number;
  eosIds: readonly number[];
}

export interface LlamaConfig extends DecoderConfig {
  family: 'llama';
  gated: true;
  ropeTheta: number;
  attentionBias: boolean;
  mlpBias: boolean;
}

export interface Gpt2Config extends DecoderConfig {
  family: 'gpt2';
  gated: false;
}

export type ModelConfig = LlamaConfig | Gpt2Config;
export type ModelFamily = ModelConfig['family'];

const size = z.int().positive();
const tokenIds = z.union([z.int(), z.array(z.int())]).nullish();
const ropeSchema = z.looseObject({
  rope_theta: z.number().positive().optional(),
  rope_type: z.string().optional(),
  type: z.string().optional(),
});

const llamaSchema = z.looseObject({
  model_type: z.literal('llama'),
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  vocab_size: size,
  max_position_embeddings: size.default(2048),
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_theta: z.number().positive().optional(),
  rope_scaling: ropeSchema.nullish(),
  rope_parameters: ropeSchema.nullish(),
  partial_rotary_factor: z.number().nullish(),
  hidden_act: z.string().default('silu'),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
  bos_token_id: z.int().nullish(),
  eos_token_id: tokenIds,
});

const gpt2Schema = z.looseObject({
  model_type: z.literal('gpt2'),
  n_embd: size,
  n_inner: size.nullish(),
  n_layer: size,
  n_head: size,
  n_positions: size.default(1024),
  vocab_size: size,
  activation_function: z.string().default('gelu_new'),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  tie_word_embeddings: z.boolean().default(true),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
  add_cross_attention: z.boolean().default(false),
  bos_token_id: z.int().nullish(),
  eos_token_id: tokenIds,
});

const familySchema = z.discriminatedUnion('model_type', [llamaSchema, gpt2Schema]);

/** Throws `bad_input` with one sentence that names `source` (the file) and what is wrong with it. */
export function parseModelConfig(json: unknown, source: string): ModelConfig {
  const refuse = (why: string) => new LazyscopeError('bad_input', `'${source}' ${why}.`);
  const top = z
    .looseObject({ model_type: z.string().optional(), architectures: z.array(z.string()).nullish() })
    .safeParse(json);
  if (!top.success) throw refuse('is not the config.json of a language model');
  const modelType = top.data.model_type ?? 'without model_type';
  const head = top.data.architectures?.[0];
  if (
    (modelType !== 'llama' && modelType !== 'gpt2') ||
    (head !== undefined && head !== architectureOf[modelType])
  )
    throw refuse(
      `describes architecture ${head ?? modelType}; only LlamaForCausalLM and GPT2LMHeadModel can be read`,
    );
  const quantization = top.data['quantization_config'];
  if (quantization !== undefined && quantization !== null)
    throw refuse('has quantization_config; use weights in F32, F16 or BF16');

  const parsed = familySchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw refuse(`is wrong at '${issue.path.join('.')}': ${issue.message}`);
  }
  const hf = parsed.data;
  const config = hf.model_type === 'llama' ? llamaConfig(hf, refuse) : gpt2Config(hf, refuse);
  checkHeads(config, refuse);
  return config;
}

const architectureOf = { llama: 'LlamaForCausalLM', gpt2: 'GPT2LMHeadModel' } as const;
type Refuse = (why: string) => LazyscopeError;

function llamaConfig(hf: z.infer<typeof llamaSchema>, refuse: Refuse): LlamaConfig {
  for (const key of ['rope_scaling', 'rope_parameters'] as const) {
    const kind = hf[key]?.rope_type ?? hf[key]?.type ?? 'default';
    if (kind !== 'default') throw refuse(`has ${key} of type '${kind}', which is not supported`);
  }
  if ((hf.partial_rotary_factor ?? 1) !== 1)
    throw refuse(`has partial_rotary_factor ${hf.partial_rotary_factor}, which is not supported`);
  return {
    family: 'llama',
    vocabularySize: hf.vocab_size,
    contextLength: hf.max_position_embeddings,
    d: hf.hidden_size,
    layers: hf.num_hidden_layers,
    heads: hf.num_attention_heads,
    keyValueHeads: hf.num_key_value_heads ?? hf.num_attention_heads,
    headWidth: hf.head_dim ?? hf.hidden_size / hf.num_attention_heads,
    neurons: hf.intermediate_size,
    activation: knownActivation(hf.hidden_act, refuse),
    gated: true,
    normEpsilon: hf.rms_norm_eps,
    ropeTheta: hf.rope_theta ?? hf.rope_parameters?.rope_theta ?? 10_000,
    attentionBias: hf.attention_bias,
    mlpBias: hf.mlp_bias,
    tiedEmbeddings: hf.tie_word_embeddings,
    ...specialTokens(hf),
  };
}

function gpt2Config(hf: z.infer<typeof gpt2Schema>, refuse: Refuse): Gpt2Config {
  if (!hf.scale_attn_weights) throw refuse('has scale_attn_weights false, which is not supported');
  if (hf.scale_attn_by_inverse_layer_idx)
    throw refuse('has scale_attn_by_inverse_layer_idx true, which is not supported');
  if (hf.add_cross_attention) throw refuse('has add_cross_attention true, which is not supported');
  return {
    family: 'gpt2',
    vocabularySize: hf.vocab_size,
    contextLength: hf.n_positions,
    d: hf.n_embd,
    layers: hf.n_layer,
    heads: hf.n_head,
    keyValueHeads: hf.n_head,
    headWidth: hf.n_embd / hf.n_head,
    neurons: hf.n_inner ?? 4 * hf.n_embd,
    activation: knownActivation(hf.activation_function, refuse),
    gated: false,
    normEpsilon: hf.layer_norm_epsilon,
    tiedEmbeddings: hf.tie_word_embeddings,
    ...specialTokens(hf),
  };
}

function checkHeads(config: ModelConfig, refuse: Refuse) {
  if (!Number.isInteger(config.headWidth))
    throw refuse(`has width ${config.d}, which ${config.heads} attention heads do not divide`);
  if (config.heads % config.keyValueHeads !== 0)
    throw refuse(
      `has ${config.heads} attention heads, which ${config.keyValueHeads} key-value heads do not divide`,
    );
  if (config.family === 'llama' && config.headWidth % 2 !== 0)
    throw refuse(`has heads of odd width ${config.headWidth}, which rotary embedding can't halve`);
}

function knownActivation(name: string, refuse: Refuse): ActivationFunctionName {
  try {
    return parseActivationFunction(name);
  } catch (error) {
    if (error instanceof LazyscopeError) throw refuse(`asks for the unknown activation function '${name}'`);
    throw error;
  }
}

function specialTokens(hf: { bos_token_id?: number | null; eos_token_id?: number | number[] | null }) {
  const eos = hf.eos_token_id ?? [];
  return { bosId: hf.bos_token_id ?? undefined, eosIds: Array.isArray(eos) ? eos : [eos] };
}

/** The config.json that makes the same model in Hugging Face's transformers. */
export function toHuggingFaceConfig(config: ModelConfig): Record<string, unknown> {
  const common = {
    architectures: [architectureOf[config.family]],
    model_type: config.family,
    vocab_size: config.vocabularySize,
    tie_word_embeddings: config.tiedEmbeddings,
    bos_token_id: config.bosId ?? null,
    eos_token_id: config.eosIds.length > 1 ? config.eosIds : (config.eosIds[0] ?? null),
  };
  if (config.family === 'gpt2')
    return {
      ...common,
      n_embd: config.d,
      n_inner: config.neurons,
      n_layer: config.layers,
      n_head: config.heads,
      n_positions: config.contextLength,
      activation_function: config.activation,
      layer_norm_epsilon: config.normEpsilon,
      attn_pdrop: 0,
      embd_pdrop: 0,
      resid_pdrop: 0,
    };
  return {
    ...common,
    hidden_size: config.d,
    intermediate_size: config.neurons,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyValueHeads,
    head_dim: config.headWidth,
    max_position_embeddings: config.contextLength,
    hidden_act: config.activation,
    rms_norm_eps: config.normEpsilon,
    rope_theta: config.ropeTheta,
    attention_bias: config.attentionBias,
    mlp_bias: config.mlpBias,
  };
}
