/**
 * GPT-2: LayerNorm with bias, learned positions, multi-head attention, ungated MLP. Its `Conv1D` weights
 * are stored [in, out], the transpose of a linear layer's; c_attn holds query, key and value side by side.
 * Source: Radford et al., 2019, "Language Models are Unsupervised Multitask Learners".
 */
import { z } from 'zod';
import type { ModelConfig, ModelSizes } from '../modelConfig.ts';
import { knownActivation, positive, size, specialTokens, tokenFields } from './commonFields.ts';
import { describeDecoder, layerNormed } from './describeDecoder.ts';
import { family } from './family.ts';

/** A GPT-2 of any size; `scale` by layer where it is not 1/√head. */
export function gpt2Decoder(sizes: ModelSizes, scale?: (layer: number) => number): ModelConfig {
  return describeDecoder('gpt2', sizes, {
    norm: layerNormed,
    learnedPositions: { offset: 0 },
    biases: { queryKeyValue: true, attentionOutput: true, mlpIn: true, mlpOut: true },
    attention: (layer) => (scale ? { scale: scale(layer) } : {}),
  });
}

export const gpt2 = family({
  architectures: ['GPT2LMHeadModel', 'GPT2Model'],
  models: 'GPT-2, DistilGPT-2; models trained here',
  fields: z.looseObject({
    ...tokenFields,
    n_embd: size,
    n_inner: size.nullish(),
    n_layer: size,
    n_head: size,
    n_positions: size.default(1024),
    activation_function: z.string().default('gelu_new'),
    layer_norm_epsilon: positive.default(1e-5),
    tie_word_embeddings: z.boolean().default(true),
    scale_attn_weights: z.boolean().default(true),
    scale_attn_by_inverse_layer_idx: z.boolean().default(false),
    /** An order of operations for half precision. */
    reorder_and_upcast_attn: z.unknown().optional(),
    n_ctx: z.unknown().optional(),
  }),
  describe(hf, refuse) {
    const headWidth = hf.n_embd / hf.n_head;
    const base = hf.scale_attn_weights ? 1 / Math.sqrt(headWidth) : 1;
    return gpt2Decoder(
      {
        vocabularySize: hf.vocab_size,
        contextLength: hf.n_positions,
        d: hf.n_embd,
        layers: hf.n_layer,
        heads: hf.n_head,
        keyValueHeads: hf.n_head,
        headWidth,
        neurons: hf.n_inner ?? 4 * hf.n_embd,
        activation: knownActivation(hf.activation_function, refuse),
        gated: false,
        normEpsilon: hf.layer_norm_epsilon,
        tiedEmbeddings: hf.tie_word_embeddings,
        ...specialTokens(hf),
      },
      (layer) => (hf.scale_attn_by_inverse_layer_idx ? base / (layer + 1) : base),
    );
  },
  names: () => ({
    prefix: 'transformer.',
    // The causal mask is stored as a buffer in some files.
    buffers: /\.attn\.(masked_)?bias$/,
    embedding: 'transformer.wte',
    positions: 'transformer.wpe',
    finalNorm: 'transformer.ln_f',
    unembedding: 'lm_head',
    block: 'transformer.h.{layer}',
    attentionNorm: 'ln_1',
    queryKeyValue: { fused: 'attn.c_attn', order: 'concatenated' },
    attentionOutput: 'attn.c_proj',
    mlpNorm: 'ln_2',
    mlp: 'mlp',
    mlpIn: { gate: 'mlp.c_fc' },
    mlpOut: 'mlp.c_proj',
    stored: 'inOut',
  }),
  toHuggingFace: (config) => ({
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
  }),
});
