/**
 * GPT-NeoX and Pythia (Black et al., 2204.06745; Biderman et al., 2304.01373): a quarter of each head turns, attention and
 * MLP side by side with a norm each, queries, keys and values of a head beside one another in one matrix.
 */
import { z } from 'zod';
import { knownActivation, positive, size, sizeFields, sizesOf } from './commonFields.ts';
import { describeDecoder, layerNormed } from './describeDecoder.ts';
import { family } from './family.ts';
import { ropeOf, ropeParameters, rotary } from './rotaryPositions.ts';

export const gptNeoX = family({
  architectures: ['GPTNeoXForCausalLM', 'GPTNeoXModel'],
  models: 'Pythia 14M–12B, GPT-NeoX-20B, Dolly',
  fields: z.looseObject({
    ...sizeFields,
    max_position_embeddings: size.default(2048),
    layer_norm_eps: positive.default(1e-5),
    hidden_act: z.string().default('gelu'),
    rotary_pct: positive.max(1).default(0.25),
    rotary_emb_base: positive.default(10_000),
    rope_scaling: ropeParameters.nullish(),
    rope_parameters: ropeParameters.nullish(),
    use_parallel_residual: z.boolean().default(true),
    attention_bias: z.boolean().default(true),
    tie_word_embeddings: z.boolean().default(false),
  }),
  describe(hf, refuse) {
    const sizes = {
      ...sizesOf(hf),
      contextLength: hf.max_position_embeddings,
      activation: knownActivation(hf.hidden_act, refuse),
      gated: false,
      normEpsilon: hf.layer_norm_eps,
      tiedEmbeddings: hf.tie_word_embeddings,
    };
    const { rope_scaling, rope_parameters } = hf;
    const parameters = ropeOf({ rope_scaling, rope_parameters }, refuse, {
      theta: hf.rotary_emb_base,
      share: hf.rotary_pct,
    });
    const turning = rotary(parameters, sizes, refuse);
    return describeDecoder('gpt_neox', sizes, {
      norm: layerNormed,
      parallel: hf.use_parallel_residual && 'ownNorms',
      biases: {
        queryKeyValue: hf.attention_bias,
        attentionOutput: hf.attention_bias,
        mlpIn: true,
        mlpOut: true,
      },
      attention: () => ({ rotary: turning }),
    });
  },
  names: () => ({
    prefix: 'gpt_neox.',
    buffers: /\.attention\.((masked_)?bias|rotary_emb\.inv_freq)$/,
    embedding: 'gpt_neox.embed_in',
    finalNorm: 'gpt_neox.final_layer_norm',
    unembedding: 'embed_out',
    block: 'gpt_neox.layers.{layer}',
    attentionNorm: 'input_layernorm',
    queryKeyValue: { fused: 'attention.query_key_value', order: 'byGroup' },
    attentionOutput: 'attention.dense',
    mlpNorm: 'post_attention_layernorm',
    mlp: 'mlp',
    mlpIn: { gate: 'mlp.dense_h_to_4h' },
    mlpOut: 'mlp.dense_4h_to_h',
    stored: 'outIn',
  }),
});
