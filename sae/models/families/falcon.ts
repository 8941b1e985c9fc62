/**
 * Falcon (Almazrouei et al., 2311.16867): one key-value head (7B), groups of them (40B) or one a query head (RW), attention
 * and MLP side by side behind one norm or two, or in turn; rotary positions or linear biases.
 */
import { z } from 'zod';
import { knownActivation, positive, size, specialTokens, tokenFields } from './commonFields.ts';
import { describeDecoder, layerNormed } from './describeDecoder.ts';
import { family } from './family.ts';
import { ropeFields, ropeOf, rotary } from './rotaryPositions.ts';

export const falcon = family({
  architectures: ['FalconForCausalLM', 'FalconModel'],
  models: 'Falcon RW, 7B, 40B, 180B',
  fields: z.looseObject({
    ...tokenFields,
    ...ropeFields,
    hidden_size: size,
    num_hidden_layers: size,
    num_attention_heads: size,
    num_kv_heads: size.nullish(),
    ffn_hidden_size: size.nullish(),
    max_position_embeddings: size.default(2048),
    layer_norm_epsilon: positive.default(1e-5),
    activation: z.string().default('gelu'),
    alibi: z.boolean().default(false),
    bias: z.boolean().default(false),
    multi_query: z.boolean().default(true),
    new_decoder_architecture: z.boolean().default(false),
    parallel_attn: z.boolean().default(true),
    num_ln_in_parallel_attn: size.max(2).nullish(),
    tie_word_embeddings: z.boolean().default(true),
    /** Said by some files, and read by nobody. */
    apply_residual_connection_post_layernorm: z.unknown().optional(),
  }),
  describe(hf, refuse) {
    const grouped = hf.new_decoder_architecture;
    if (grouped && !hf.parallel_attn)
      throw refuse('has new_decoder_architecture without parallel_attn, which is not supported');
    const norms = hf.num_ln_in_parallel_attn ?? (grouped ? 2 : 1);
    if (norms === 2 && !grouped)
      throw refuse('has num_ln_in_parallel_attn 2 without new_decoder_architecture, which is not supported');
    const heads = hf.num_attention_heads;
    const sizes = {
      vocabularySize: hf.vocab_size,
      contextLength: hf.max_position_embeddings,
      d: hf.hidden_size,
      layers: hf.num_hidden_layers,
      heads,
      keyValueHeads: grouped ? (hf.num_kv_heads ?? heads) : hf.multi_query ? 1 : heads,
      headWidth: hf.hidden_size / heads,
      neurons: hf.ffn_hidden_size ?? 4 * hf.hidden_size,
      activation: knownActivation(hf.activation, refuse),
      gated: false,
      normEpsilon: hf.layer_norm_epsilon,
      tiedEmbeddings: hf.tie_word_embeddings,
      ...specialTokens(hf),
    };
    const turning = hf.alibi ? undefined : rotary(ropeOf(hf, refuse), sizes, refuse);
    return describeDecoder('falcon', sizes, {
      norm: layerNormed,
      parallel: hf.parallel_attn && (norms === 2 ? 'ownNorms' : 'sharedNorm'),
      alibi: hf.alibi ? { scaled: true, bfloat16: true } : undefined,
      biases: { queryKeyValue: hf.bias, attentionOutput: hf.bias, mlpIn: hf.bias, mlpOut: hf.bias },
      attention: () => ({ rotary: turning }),
    });
  },
  names: ({ parallel }) => ({
    prefix: 'transformer.',
    buffers: /rotary_emb\.inv_freq$/,
    embedding: 'transformer.word_embeddings',
    finalNorm: 'transformer.ln_f',
    unembedding: 'lm_head',
    block: 'transformer.h.{layer}',
    attentionNorm: parallel === 'ownNorms' ? 'ln_attn' : 'input_layernorm',
    queryKeyValue: { fused: 'self_attention.query_key_value', order: 'byGroup' },
    attentionOutput: 'self_attention.dense',
    mlpNorm: parallel === 'ownNorms' ? 'ln_mlp' : 'post_attention_layernorm',
    mlp: 'mlp',
    mlpIn: { gate: 'mlp.dense_h_to_4h' },
    mlpOut: 'mlp.dense_4h_to_h',
    stored: 'outIn',
  }),
});
