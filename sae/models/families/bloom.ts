/** BLOOM (2211.05100): linear biases instead of positions, and a norm on the embeddings. */
import { z } from 'zod';
import { positive, size, specialTokens, tokenFields } from './commonFields.ts';
import { describeDecoder, layerNormed } from './describeDecoder.ts';
import { family } from './family.ts';
import type { Refuse } from './family.ts';

const unread = z.unknown().optional();

/** A size that files spell in several ways. */
function spelt(sizes: Record<string, number | null | undefined>, refuse: Refuse): number {
  const given = Object.values(sizes).find((value) => value !== undefined && value !== null);
  if (given === undefined || given === null) throw refuse(`lacks ${Object.keys(sizes)[0]}`);
  return given;
}

export const bloom = family({
  architectures: ['BloomForCausalLM', 'BloomModel'],
  models: 'BLOOM 560M–176B',
  fields: z.looseObject({
    ...tokenFields,
    hidden_size: size.nullish(),
    n_embed: size.nullish(),
    n_layer: size.nullish(),
    num_hidden_layers: size.nullish(),
    n_head: size.nullish(),
    num_attention_heads: size.nullish(),
    /** The length it was trained on; without positions, nothing else bounds a text. */
    seq_length: size.default(2048),
    layer_norm_epsilon: positive.default(1e-5),
    apply_residual_connection_post_layernorm: z.literal(false).optional(),
    tie_word_embeddings: z.boolean().default(true),
    // Of the training code; the width of the MLP is always four times the stream's.
    attention_softmax_in_fp32: unread,
    bias_dropout_fusion: unread,
    masked_softmax_fusion: unread,
    offset_alibi: unread,
    skip_bias_add: unread,
    skip_bias_add_qkv: unread,
    n_inner: unread,
  }),
  describe(hf, refuse) {
    const d = spelt({ n_embed: hf.n_embed, hidden_size: hf.hidden_size }, refuse);
    const heads = spelt({ n_head: hf.n_head, num_attention_heads: hf.num_attention_heads }, refuse);
    return describeDecoder(
      'bloom',
      {
        vocabularySize: hf.vocab_size,
        contextLength: hf.seq_length,
        d,
        layers: spelt({ n_layer: hf.n_layer, num_hidden_layers: hf.num_hidden_layers }, refuse),
        heads,
        keyValueHeads: heads,
        headWidth: d / heads,
        neurons: 4 * d,
        activation: 'gelu_new',
        gated: false,
        normEpsilon: hf.layer_norm_epsilon,
        tiedEmbeddings: hf.tie_word_embeddings,
        ...specialTokens(hf),
      },
      {
        norm: layerNormed,
        embedding: { norm: true },
        alibi: { scaled: false, bfloat16: false },
        biases: { queryKeyValue: true, attentionOutput: true, mlpIn: true, mlpOut: true },
      },
    );
  },
  names: () => ({
    prefix: 'transformer.',
    embedding: 'transformer.word_embeddings',
    embeddingNorm: 'transformer.word_embeddings_layernorm',
    finalNorm: 'transformer.ln_f',
    unembedding: 'lm_head',
    block: 'transformer.h.{layer}',
    attentionNorm: 'input_layernorm',
    queryKeyValue: { fused: 'self_attention.query_key_value', order: 'byGroup' },
    attentionOutput: 'self_attention.dense',
    mlpNorm: 'post_attention_layernorm',
    mlp: 'mlp',
    mlpIn: { gate: 'mlp.dense_h_to_4h' },
    mlpOut: 'mlp.dense_4h_to_h',
    stored: 'outIn',
  }),
});
