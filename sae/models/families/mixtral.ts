/** Mixtral (Jiang et al., 2401.04088): Mistral whose MLP is a mixture of experts. */
import { z } from 'zod';
import { groupedFields, knownActivation, positive, size, sizesOf } from './commonFields.ts';
import { describeDecoder, rmsNormed } from './describeDecoder.ts';
import { family } from './family.ts';
import { llamaNames } from './llama.ts';
import { ropeFields, ropeOf, rotary } from './rotaryPositions.ts';

export const mixtral = family({
  architectures: ['MixtralForCausalLM', 'MixtralModel'],
  models: 'Mixtral 8x7B, 8x22B',
  fields: z.looseObject({
    ...groupedFields,
    ...ropeFields,
    num_key_value_heads: size.nullable().default(8),
    max_position_embeddings: size.default(4096 * 32),
    rms_norm_eps: positive.default(1e-5),
    hidden_act: z.string().default('silu'),
    sliding_window: size.nullish(),
    num_local_experts: size.default(8),
    num_experts_per_tok: size.default(2),
    tie_word_embeddings: z.boolean().default(false),
    /** Of training: the router's loss and noise. */
    router_aux_loss_coef: z.unknown().optional(),
    output_router_logits: z.unknown().optional(),
    router_jitter_noise: z.unknown().optional(),
  }),
  describe(hf, refuse) {
    const experts = { count: hf.num_local_experts, perToken: hf.num_experts_per_tok };
    if (experts.perToken > experts.count)
      throw refuse(`sends each token to ${experts.perToken} of ${experts.count} experts`);
    const sizes = {
      ...sizesOf(hf),
      neurons: experts.count * hf.intermediate_size,
      contextLength: hf.max_position_embeddings,
      activation: knownActivation(hf.hidden_act, refuse),
      gated: true,
      normEpsilon: hf.rms_norm_eps,
      tiedEmbeddings: hf.tie_word_embeddings,
    };
    const turning = rotary(ropeOf(hf, refuse, { theta: 1_000_000 }), sizes, refuse);
    const window = hf.sliding_window ?? undefined;
    return describeDecoder('mixtral', sizes, {
      norm: rmsNormed,
      experts,
      attention: () => ({ rotary: turning, window }),
    });
  },
  names: () => ({
    ...llamaNames,
    mlp: 'block_sparse_moe',
    mlpIn: {
      router: 'block_sparse_moe.gate',
      gate: 'block_sparse_moe.experts.{expert}.w1',
      up: 'block_sparse_moe.experts.{expert}.w3',
    },
    mlpOut: 'block_sparse_moe.experts.{expert}.w2',
  }),
});
