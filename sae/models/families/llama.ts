/**
 * The Llama family: RMSNorm, rotary positions in Hugging Face's half-split convention (component i turns
 * with component i + head/2), grouped-query attention, gated MLP. Linear weights are stored [out, in].
 * Sources: Touvron et al., 2302.13971; Su et al., 2104.09864; Ainslie et al., 2305.13245; Shazeer, 2002.05202.
 */
import { rmsNorm } from '../../ops/rmsNorm.ts';
import { rotaryEmbedding } from '../../ops/rotaryEmbedding.ts';
import { tf } from '../../tensor/tf.ts';
import type { Tensor1D, Tensor2D, Tensor4D } from '../../tensor/tf.ts';
import { activationParameters, addActivationShapes } from '../activationFunctions/activationParameters.ts';
import type { DecoderParts, Family, ParameterShapes, Weights, Window } from './decoderParts.ts';
import type { LlamaConfig } from '../modelConfig.ts';

export function llama(config: LlamaConfig): Family {
  const unembedding = (weights: Weights) =>
    weights.get(config.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight') as Tensor2D;
  return {
    shapes: parameterShapes(config),
    naming: {
      prefix: 'model.',
      ignored: config.tiedEmbeddings ? /rotary_emb\.inv_freq$|^lm_head\.weight$/ : /rotary_emb\.inv_freq$/,
    },
    parts: (weights, window) => llamaParts(config, weights, window, unembedding(weights)),
    output: (weights) => ({
      gain: weights.get('model.norm.weight') as Tensor1D,
      unembedding: unembedding(weights),
      centred: false,
    }),
    mlp: mlpPrefix,
    neuronOutputs: (weights, layer) =>
      tf.transpose(weights.get(`model.layers.${layer}.mlp.down_proj.weight`) as Tensor2D),
  };
}

const mlpPrefix = (layer: number) => `model.layers.${layer}.mlp`;

function parameterShapes(config: LlamaConfig): ParameterShapes {
  const { d, neurons, vocabularySize, headWidth } = config;
  const queries = config.heads * headWidth;
  const keys = config.keyValueHeads * headWidth;
  const shapes = new Map<string, number[]>([['model.embed_tokens.weight', [vocabularySize, d]]]);
  const linear = (name: string, out: number, into: number, bias: boolean) => {
    shapes.set(`${name}.weight`, [out, into]);
    if (bias) shapes.set(`${name}.bias`, [out]);
  };
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `model.layers.${layer}`;
    shapes.set(`${block}.input_layernorm.weight`, [d]);
    linear(`${block}.self_attn.q_proj`, queries, d, config.attentionBias);
    linear(`${block}.self_attn.k_proj`, keys, d, config.attentionBias);
    linear(`${block}.self_attn.v_proj`, keys, d, config.attentionBias);
    linear(`${block}.self_attn.o_proj`, d, queries, config.attentionBias);
    shapes.set(`${block}.post_attention_layernorm.weight`, [d]);
    linear(`${block}.mlp.gate_proj`, neurons, d, config.mlpBias);
    linear(`${block}.mlp.up_proj`, neurons, d, config.mlpBias);
    linear(`${block}.mlp.down_proj`, d, neurons, config.mlpBias);
    addActivationShapes(shapes, mlpPrefix(layer), config.activation);
  }
  shapes.set('model.norm.weight', [d]);
  if (!config.tiedEmbeddings) shapes.set('lm_head.weight', [vocabularySize, d]);
  return shapes;
}

function llamaParts(
  config: LlamaConfig,
  weights: Weights,
  window: Window,
  unembedding: Tensor2D,
): DecoderParts {
  const weight = (name: string) => weights.get(name)!;
  const norm = (name: string, x: Tensor2D): Tensor2D =>
    rmsNorm(x, weight(`${name}.weight`) as Tensor1D, config.normEpsilon) as Tensor2D;
  const linear = (name: string, x: Tensor2D): Tensor2D => {
    const b = weight(`${name}.weight`) as Tensor2D;
    return tf.fused.matMul({ a: x, b, bias: weights.get(`${name}.bias`), transposeB: true }) as Tensor2D;
  };
  const split = (x: Tensor2D, heads: number): Tensor4D =>
    x.reshape([window.batch, window.seq, heads, config.headWidth]).transpose([0, 2, 1, 3]);
  const { cos, sin } = rotaryTable(config, window);
  const block = (layer: number) => `model.layers.${layer}`;

  return {
    embed: (tokens) => tf.gather(weight('model.embed_tokens.weight') as Tensor2D, tokens) as Tensor2D,
    attentionNorm: (layer, x) => norm(`${block(layer)}.input_layernorm`, x),
    queryKeyValue: (layer, x) => {
      const attention = `${block(layer)}.self_attn`;
      return {
        q: rotaryEmbedding(split(linear(`${attention}.q_proj`, x), config.heads), cos, sin),
        k: rotaryEmbedding(split(linear(`${attention}.k_proj`, x), config.keyValueHeads), cos, sin),
        v: split(linear(`${attention}.v_proj`, x), config.keyValueHeads),
      };
    },
    attentionOutput: (layer, z) => linear(`${block(layer)}.self_attn.o_proj`, z),
    mlpNorm: (layer, x) => norm(`${block(layer)}.post_attention_layernorm`, x),
    mlpPre: (layer, x) => linear(`${block(layer)}.mlp.gate_proj`, x),
    activationParameters: (layer) => activationParameters(weights, mlpPrefix(layer), config.activation),
    mlpUp: (layer, x) => linear(`${block(layer)}.mlp.up_proj`, x),
    mlpOutput: (layer, post) => linear(`${block(layer)}.mlp.down_proj`, post),
    finalNorm: (x) => norm('model.norm', x),
    unembed: (x) => tf.matMul(x, unembedding, false, true),
  };
}

/** cos and sin of position · θ^(−2i/head), [seq, head/2], computed in float64. */
function rotaryTable(config: LlamaConfig, window: Window): { cos: Tensor2D; sin: Tensor2D } {
  const half = config.headWidth / 2;
  const cos = new Float32Array(window.seq * half);
  const sin = new Float32Array(window.seq * half);
  for (let i = 0; i < half; i++) {
    const frequency = config.ropeTheta ** (-i / half);
    for (let t = 0; t < window.seq; t++) {
      const angle = (window.firstPosition + t) * frequency;
      cos[t * half + i] = Math.cos(angle);
      sin[t * half + i] = Math.sin(angle);
    }
  }
  const shape: [number, number] = [window.seq, half];
  return { cos: tf.tensor2d(cos, shape), sin: tf.tensor2d(sin, shape) };
}
