/**
 * GPT-2: LayerNorm with bias, learned positions, multi-head attention, ungated MLP. Its `Conv1D` weights
 * are stored [in, out], the transpose of a linear layer's; c_attn holds query, key and value side by side.
 * Source: Radford et al., 2019, "Language Models are Unsupervised Multitask Learners".
 */
import { layerNorm } from '../../ops/layerNorm.ts';
import { tf } from '../../tensor/tf.ts';
import type { Tensor1D, Tensor2D, Tensor4D } from '../../tensor/tf.ts';
import { activationParameters, addActivationShapes } from '../activationFunctions/activationParameters.ts';
import type { DecoderParts, Family, ParameterShapes, Weights, Window } from './decoderParts.ts';
import type { Gpt2Config } from '../modelConfig.ts';

export function gpt2(config: Gpt2Config): Family {
  const unembedding = (weights: Weights) =>
    weights.get(config.tiedEmbeddings ? 'transformer.wte.weight' : 'lm_head.weight') as Tensor2D;
  // The causal mask is stored as a buffer in some files.
  const masks = '\\.attn\\.(masked_)?bias$';
  return {
    shapes: parameterShapes(config),
    naming: {
      prefix: 'transformer.',
      ignored: new RegExp(config.tiedEmbeddings ? `${masks}|^lm_head\\.weight$` : masks),
    },
    parts: (weights, window) => gpt2Parts(config, weights, window, unembedding(weights)),
    output: (weights) => ({
      gain: weights.get('transformer.ln_f.weight') as Tensor1D,
      unembedding: unembedding(weights),
      centred: true,
    }),
    mlp: mlpPrefix,
    neuronOutputs: (weights, layer) =>
      tf.clone(weights.get(`transformer.h.${layer}.mlp.c_proj.weight`) as Tensor2D),
  };
}

const mlpPrefix = (layer: number) => `transformer.h.${layer}.mlp`;

function parameterShapes(config: Gpt2Config): ParameterShapes {
  const { d, neurons, vocabularySize } = config;
  const shapes = new Map<string, number[]>([
    ['transformer.wte.weight', [vocabularySize, d]],
    ['transformer.wpe.weight', [config.contextLength, d]],
  ]);
  const norm = (name: string) => shapes.set(`${name}.weight`, [d]).set(`${name}.bias`, [d]);
  const conv = (name: string, into: number, out: number) =>
    shapes.set(`${name}.weight`, [into, out]).set(`${name}.bias`, [out]);
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `transformer.h.${layer}`;
    norm(`${block}.ln_1`);
    conv(`${block}.attn.c_attn`, d, 3 * d);
    conv(`${block}.attn.c_proj`, d, d);
    norm(`${block}.ln_2`);
    conv(`${block}.mlp.c_fc`, d, neurons);
    conv(`${block}.mlp.c_proj`, neurons, d);
    addActivationShapes(shapes, mlpPrefix(layer), config.activation);
  }
  norm('transformer.ln_f');
  if (!config.tiedEmbeddings) shapes.set('lm_head.weight', [vocabularySize, d]);
  return shapes;
}

function gpt2Parts(
  config: Gpt2Config,
  weights: Weights,
  window: Window,
  unembedding: Tensor2D,
): DecoderParts {
  const { batch, seq, firstPosition } = window;
  const { d, heads, headWidth } = config;
  const weight = (name: string) => weights.get(name)!;
  const norm = (name: string, x: Tensor2D): Tensor2D =>
    layerNorm(
      x,
      weight(`${name}.weight`) as Tensor1D,
      weight(`${name}.bias`) as Tensor1D,
      config.normEpsilon,
    ) as Tensor2D;
  const conv = (name: string, x: Tensor2D): Tensor2D =>
    tf.fused.matMul({
      a: x,
      b: weight(`${name}.weight`) as Tensor2D,
      bias: weight(`${name}.bias`),
    }) as Tensor2D;
  const block = (layer: number) => `transformer.h.${layer}`;

  return {
    embed: (tokens) => {
      const content = tf.gather(weight('transformer.wte.weight') as Tensor2D, tokens);
      const positions = weight('transformer.wpe.weight').slice([firstPosition, 0], [seq, d]);
      return content
        .reshape([batch, seq, d])
        .add(positions)
        .reshape([batch * seq, d]);
    },
    attentionNorm: (layer, x) => norm(`${block(layer)}.ln_1`, x),
    queryKeyValue: (layer, x) => {
      // The small weights are cut in three, not the large products.
      const name = `${block(layer)}.attn.c_attn`;
      const parts = tf.split(weight(`${name}.weight`) as Tensor2D, 3, 1);
      const biases = tf.split(weight(`${name}.bias`) as Tensor1D, 3);
      const [q, k, v] = parts.map((part, i): Tensor4D =>
        tf.fused
          .matMul({ a: x, b: part, bias: biases[i] })
          .reshape([batch, seq, heads, headWidth])
          .transpose([0, 2, 1, 3]),
      );
      return { q, k, v };
    },
    attentionOutput: (layer, z) => conv(`${block(layer)}.attn.c_proj`, z),
    mlpNorm: (layer, x) => norm(`${block(layer)}.ln_2`, x),
    mlpPre: (layer, x) => conv(`${block(layer)}.mlp.c_fc`, x),
    activationParameters: (layer) => activationParameters(weights, mlpPrefix(layer), config.activation),
    mlpOutput: (layer, post) => conv(`${block(layer)}.mlp.c_proj`, post),
    finalNorm: (x) => norm('transformer.ln_f', x),
    unembed: (x) => tf.matMul(x, unembedding, false, true),
  };
}
