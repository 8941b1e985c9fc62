/**
 * OPT (Zhang et al., 2205.01068): GPT-2's design with ReLU; its table of positions begins with two rows for no position.
 * The 350M model norms after the sum and has embeddings narrower than the residual stream.
 */
import { z } from 'zod';
import { knownActivation, size, specialTokens, tokenFields } from './commonFields.ts';
import { describeDecoder, layerNormed } from './describeDecoder.ts';
import { family } from './family.ts';

export const opt = family({
  architectures: ['OPTForCausalLM', 'OPTModel'],
  models: 'OPT 125M–66B (350M norms after the sum)',
  fields: z.looseObject({
    ...tokenFields,
    hidden_size: size,
    num_hidden_layers: size,
    num_attention_heads: size,
    ffn_dim: size,
    max_position_embeddings: size.default(2048),
    word_embed_proj_dim: size.nullish(),
    activation_function: z.string().default('relu'),
    do_layer_norm_before: z.boolean().default(true),
    _remove_final_layer_norm: z.boolean().default(false),
    enable_bias: z.boolean().default(true),
    layer_norm_elementwise_affine: z.boolean().default(true),
    tie_word_embeddings: z.boolean().default(true),
  }),
  describe(hf, refuse) {
    const bias = hf.enable_bias;
    const affine = hf.layer_norm_elementwise_affine;
    return describeDecoder(
      'opt',
      {
        vocabularySize: hf.vocab_size,
        contextLength: hf.max_position_embeddings,
        d: hf.hidden_size,
        layers: hf.num_hidden_layers,
        heads: hf.num_attention_heads,
        keyValueHeads: hf.num_attention_heads,
        headWidth: hf.hidden_size / hf.num_attention_heads,
        neurons: hf.ffn_dim,
        activation: knownActivation(hf.activation_function, refuse),
        gated: false,
        normEpsilon: 1e-5,
        tiedEmbeddings: hf.tie_word_embeddings,
        ...specialTokens(hf),
      },
      {
        norm: { ...layerNormed, gain: affine, bias: affine },
        normPlacement: hf.do_layer_norm_before ? 'before' : 'after',
        finalNorm: hf.do_layer_norm_before && !hf['_remove_final_layer_norm'],
        learnedPositions: { offset: 2 },
        embedding: { width: hf.word_embed_proj_dim ?? hf.hidden_size },
        biases: { queryKeyValue: bias, attentionOutput: bias, mlpIn: bias, mlpOut: bias },
      },
    );
  },
  names: () => ({
    prefix: 'model.',
    embedding: 'model.decoder.embed_tokens',
    positions: 'model.decoder.embed_positions',
    projectIn: 'model.decoder.project_in',
    projectOut: 'model.decoder.project_out',
    finalNorm: 'model.decoder.final_layer_norm',
    unembedding: 'lm_head',
    block: 'model.decoder.layers.{layer}',
    attentionNorm: 'self_attn_layer_norm',
    queryKeyValue: { query: 'self_attn.q_proj', key: 'self_attn.k_proj', value: 'self_attn.v_proj' },
    attentionOutput: 'self_attn.out_proj',
    mlpNorm: 'final_layer_norm',
    mlp: 'mlp',
    mlpIn: { gate: 'fc1' },
    mlpOut: 'fc2',
    stored: 'outIn',
  }),
});
