/**
 * Phi 1, 1.5 and 2 (Gunasekar et al., 2306.11644; Li et al., 2309.05463): attention and MLP side by side behind one norm,
 * biases everywhere, a part of each head turns. Phi 3 and 4 (2404.14219): Llama with fused matrices and LongRoPE.
 */
import { z } from 'zod';
import { groupedFields, knownActivation, positive, size, sizesOf } from './commonFields.ts';
import { describeDecoder, layerNormed, rmsNormed } from './describeDecoder.ts';
import { family } from './family.ts';
import { llamaNames } from './llama.ts';
import { ropeFields, ropeOf, rotary } from './rotaryPositions.ts';

export const phi = family({
  architectures: ['PhiForCausalLM', 'PhiModel'],
  models: 'Phi 1, 1.5, 2',
  fields: z.looseObject({
    ...groupedFields,
    ...ropeFields,
    max_position_embeddings: size.default(2048),
    layer_norm_eps: positive.default(1e-5),
    hidden_act: z.string().default('gelu_new'),
    qk_layernorm: z.boolean().default(false),
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
    const turning = rotary(ropeOf(hf, refuse, { share: 0.5 }), sizes, refuse);
    return describeDecoder('phi', sizes, {
      norm: layerNormed,
      parallel: 'sharedNorm',
      queryKeyNorm: hf.qk_layernorm ? { ...layerNormed, over: 'head', gains: 'shared' } : undefined,
      biases: {
        queryKeyValue: true,
        attentionOutput: true,
        mlpIn: true,
        mlpOut: true,
        unembedding: true,
      },
      attention: () => ({ rotary: turning }),
    });
  },
  names: () => ({
    ...llamaNames,
    finalNorm: 'model.final_layernorm',
    queryNorm: 'self_attn.q_layernorm',
    keyNorm: 'self_attn.k_layernorm',
    attentionOutput: 'self_attn.dense',
    mlpIn: { gate: 'mlp.fc1' },
    mlpOut: 'mlp.fc2',
  }),
});

export const phi3 = family({
  architectures: ['Phi3ForCausalLM', 'Phi3Model'],
  models: 'Phi 3, 3.5 and 4 (LongRoPE: within the original context)',
  fields: z.looseObject({
    ...groupedFields,
    ...ropeFields,
    max_position_embeddings: size.default(4096),
    original_max_position_embeddings: size.default(4096),
    rms_norm_eps: positive.default(1e-5),
    hidden_act: z.string().default('silu'),
    sliding_window: size.nullish(),
    /** Said by the released files, and what the code always does. */
    attention_bias: z.literal(false).optional(),
    mlp_bias: z.literal(false).optional(),
    lm_head_bias: z.literal(false).optional(),
    full_attn_mod: z.literal(1).optional(),
    interpolate_factor: z.literal(1).optional(),
    tie_word_embeddings: z.boolean().default(false),
  }),
  describe(hf, refuse) {
    const sizes = {
      ...sizesOf(hf),
      contextLength: hf.max_position_embeddings,
      activation: knownActivation(hf.hidden_act, refuse),
      gated: true,
      normEpsilon: hf.rms_norm_eps,
      tiedEmbeddings: hf.tie_word_embeddings,
    };
    const given = ropeOf(hf, refuse, { share: 1 });
    const kind = given.rope_type ?? given.type ?? 'default';
    // Early files call LongRoPE by other names.
    const long = kind === 'su' || kind === 'yarn' || kind === 'longrope';
    const parameters = long ? { ...given, rope_type: 'longrope' } : given;
    const originalContext = hf.original_max_position_embeddings;
    const turning = rotary(parameters, { ...sizes, originalContext }, refuse);
    // Beyond the original context other factors hold, for all positions: a text stays within it.
    const contextLength = long ? Math.min(sizes.contextLength, originalContext) : sizes.contextLength;
    const window = hf.sliding_window ?? undefined;
    return describeDecoder(
      'phi3',
      { ...sizes, contextLength },
      { norm: rmsNormed, attention: () => ({ rotary: turning, window }) },
    );
  },
  names: () => ({
    ...llamaNames,
    queryKeyValue: { fused: 'self_attn.qkv_proj', order: 'concatenated' },
    mlpIn: { fusedGateUp: 'mlp.gate_up_proj' },
  }),
});
