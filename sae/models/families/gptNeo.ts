/** GPT-Neo (Black et al., 2021): GPT-2 with linear layers, unscaled scores, and layers that see a window. */
import { z } from 'zod';
import { knownActivation, positive, size, specialTokens, tokenFields } from './commonFields.ts';
import { describeDecoder, layerNormed } from './describeDecoder.ts';
import { family } from './family.ts';

const kinds = z.array(z.enum(['global', 'local']));

export const gptNeo = family({
  architectures: ['GPTNeoForCausalLM', 'GPTNeoModel'],
  models: 'GPT-Neo 125M–2.7B, TinyStories',
  fields: z.looseObject({
    ...tokenFields,
    hidden_size: size,
    num_layers: size,
    num_heads: size,
    intermediate_size: size.nullish(),
    max_position_embeddings: size.default(2048),
    /** Kinds of layers in turn, and how often. */
    attention_types: z.array(z.tuple([kinds, size])).default([[['global', 'local'], 12]]),
    /** Follows from attention_types, which is what is read. */
    attention_layers: z.unknown().optional(),
    window_size: size.default(256),
    activation_function: z.string().default('gelu_new'),
    layer_norm_epsilon: positive.default(1e-5),
    tie_word_embeddings: z.boolean().default(true),
  }),
  describe(hf, refuse) {
    const layers = hf.attention_types.flatMap(([turn, times]) =>
      Array.from({ length: times }, () => turn).flat(),
    );
    if (layers.length !== hf.num_layers)
      throw refuse(`has attention_types for ${layers.length} layers, but num_layers is ${hf.num_layers}`);
    return describeDecoder(
      'gpt_neo',
      {
        vocabularySize: hf.vocab_size,
        contextLength: hf.max_position_embeddings,
        d: hf.hidden_size,
        layers: hf.num_layers,
        heads: hf.num_heads,
        keyValueHeads: hf.num_heads,
        headWidth: hf.hidden_size / hf.num_heads,
        neurons: hf.intermediate_size ?? 4 * hf.hidden_size,
        activation: knownActivation(hf.activation_function, refuse),
        gated: false,
        normEpsilon: hf.layer_norm_epsilon,
        tiedEmbeddings: hf.tie_word_embeddings,
        ...specialTokens(hf),
      },
      {
        norm: layerNormed,
        learnedPositions: { offset: 0 },
        biases: { attentionOutput: true, mlpIn: true, mlpOut: true },
        attention: (layer) => ({
          scale: 1,
          window: layers[layer] === 'local' ? hf.window_size : undefined,
        }),
      },
    );
  },
  names: () => ({
    prefix: 'transformer.',
    buffers: /\.attn\.attention\.(masked_)?bias$/,
    embedding: 'transformer.wte',
    positions: 'transformer.wpe',
    finalNorm: 'transformer.ln_f',
    unembedding: 'lm_head',
    block: 'transformer.h.{layer}',
    attentionNorm: 'ln_1',
    queryKeyValue: {
      query: 'attn.attention.q_proj',
      key: 'attn.attention.k_proj',
      value: 'attn.attention.v_proj',
    },
    attentionOutput: 'attn.attention.out_proj',
    mlpNorm: 'ln_2',
    mlp: 'mlp',
    mlpIn: { gate: 'mlp.c_fc' },
    mlpOut: 'mlp.c_proj',
    stored: 'outIn',
  }),
});
