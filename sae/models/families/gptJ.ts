/** GPT-J (Wang & Komatsuzaki, 2021): attention and MLP side by side behind one norm, neighbouring components turn. */
import { z } from 'zod';
import { knownActivation, positive, size, specialTokens, tokenFields } from './commonFields.ts';
import { describeDecoder, layerNormed } from './describeDecoder.ts';
import { family } from './family.ts';
import { rotary } from './rotaryPositions.ts';

export const gptJ = family({
  architectures: ['GPTJForCausalLM', 'GPTJModel'],
  models: 'GPT-J 6B',
  fields: z.looseObject({
    ...tokenFields,
    n_embd: size,
    n_inner: size.nullish(),
    n_layer: size,
    n_head: size,
    n_positions: size.default(2048),
    rotary_dim: size.default(64),
    activation_function: z.string().default('gelu_new'),
    layer_norm_epsilon: positive.default(1e-5),
    tie_word_embeddings: z.boolean().default(false),
    /** Said by the released files, and read by nobody. */
    rotary: z.literal(true).optional(),
    scale_attn_weights: z.literal(true).optional(),
  }),
  describe(hf, refuse) {
    const sizes = {
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
    const turning = rotary({}, { ...sizes, dims: hf.rotary_dim, pairs: 'neighbours' }, refuse);
    return describeDecoder('gptj', sizes, {
      norm: layerNormed,
      parallel: 'sharedNorm',
      biases: { mlpIn: true, mlpOut: true, unembedding: true },
      attention: () => ({ rotary: turning }),
    });
  },
  names: () => ({
    prefix: 'transformer.',
    buffers: /\.attn\.((masked_)?bias|embed_positions)$/,
    embedding: 'transformer.wte',
    finalNorm: 'transformer.ln_f',
    unembedding: 'lm_head',
    block: 'transformer.h.{layer}',
    attentionNorm: 'ln_1',
    queryKeyValue: { query: 'attn.q_proj', key: 'attn.k_proj', value: 'attn.v_proj' },
    attentionOutput: 'attn.out_proj',
    mlp: 'mlp',
    mlpIn: { gate: 'mlp.fc_in' },
    mlpOut: 'mlp.fc_out',
    stored: 'outIn',
  }),
});
