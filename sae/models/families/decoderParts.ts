/**
 * The pieces of a decoder's forward pass, as its description says and with the weights its names find; decoder.ts puts
 * them together. Inside, activations are matrices of rows = batch × seq, so that every product is one large
 * matrix product; they take their public shapes only at hook points.
 */
import { tf } from '../../tensor/tf.ts';
import type { Tensor, Tensor2D, Tensor4D } from '../../tensor/tf.ts';
import type { ActivationParameters } from '../activationFunctions/activationFunction.ts';
import { applyActivationFunction } from '../activationFunctions/activationFunctions.ts';
import { activationParameters } from '../activationFunctions/activationParameters.ts';
import type { ModelConfig } from '../modelConfig.ts';
import { expertModules, expertOutputs, throughExperts } from './expertMlp.ts';
import type { DecoderNames } from './family.ts';
import { queryKeyValue, rotaryTables } from './queryKeyValue.ts';
import { inBlock, linearOf, normGain, normOf } from './storedModules.ts';
import type { Weights, Window } from './storedModules.ts';

export interface DecoderParts {
  /** tokens int32 [rows] → [rows, d], without positions */
  embed(tokens: Tensor): Tensor2D;
  /** Learned positions of the window, [seq, d]. */
  positions?(): Tensor2D;
  /** Of an encoder: types int32 [rows] → [rows, d] */
  tokenTypes?(types: Tensor): Tensor2D;
  /** Of an encoder, after positions and token types are added. */
  embeddingNorm(x: Tensor2D): Tensor2D;
  /** The norm before attention, or after its sum. */
  attentionNorm(layer: number, x: Tensor2D): Tensor2D;
  /** x [rows, d] → q [batch, heads, seq, head]; k, v [batch, keyValueHeads, seq, head], positions applied. */
  queryKeyValue(layer: number, x: Tensor2D): { q: Tensor4D; k: Tensor4D; v: Tensor4D };
  /** z [rows, heads × head] → what attention adds to the residual stream [rows, d] */
  attentionOutput(layer: number, z: Tensor2D): Tensor2D;
  mlpNorm(layer: number, x: Tensor2D): Tensor2D;
  /** What the activation function is applied to, and the other factor of a gated MLP: [rows, d] → [rows, neurons]. */
  mlpIn(layer: number, x: Tensor2D): { pre: Tensor2D; up?: () => Tensor2D };
  /** Of a mixture of experts: [rows, d] → [rows, experts] */
  routerLogits(layer: number, x: Tensor2D): Tensor2D;
  /** The activation function's own parameters. */
  activationParameters(layer: number): ActivationParameters;
  /** What the MLP adds to the residual stream: [rows, neurons] → [rows, d] */
  mlpOutput(layer: number, post: Tensor2D): Tensor2D;
  finalNorm(x: Tensor2D): Tensor2D;
  /** The final norm in two steps: without gain and bias, and these. */
  finalNormalised(x: Tensor2D): Tensor2D;
  finalGain(x: Tensor2D): Tensor2D;
  /** [rows, d] → [rows, vocab] */
  unembed(x: Tensor2D): Tensor2D;
}

export function decoderParts(
  config: ModelConfig,
  names: DecoderNames,
  weights: Weights,
  window: Window,
): DecoderParts {
  const { seq, firstPosition } = window;
  const { d, neurons, norm, embedding, residualMultiplier } = config;
  const normed = normOf(config, weights);
  const linear = linearOf(names, weights);
  const at = (layer: number, name: string) => inBlock(names, layer, name);
  const weight = (name: string) => weights.get(`${name}.weight`) as Tensor2D;
  const streamNorm = (name: string, x: Tensor2D) => normed(norm, name, x) as Tensor2D;
  const scaled = (x: Tensor2D, factor: number) => (factor === 1 ? x : tf.mul<Tensor2D>(x, factor));
  const written = (layer: number, outputNorm: string | undefined, x: Tensor2D) =>
    scaled(outputNorm === undefined ? x : streamNorm(at(layer, outputNorm), x), residualMultiplier);
  const { learnedPositions } = config;
  const headOf = (x: Tensor2D) => {
    const dense = linear(names.head!.dense, x);
    const parameters = activationParameters(weights, names.head!.dense, config.activation);
    return streamNorm(
      names.head!.norm,
      applyActivationFunction(config.activation, dense, parameters) as Tensor2D,
    );
  };
  const tables = rotaryTables(config, window);

  return {
    embed: (tokens) => {
      let x = scaled(tf.gather(weight(names.embedding), tokens) as Tensor2D, embedding.multiplier);
      if (embedding.norm && !config.encoder) x = streamNorm(names.embeddingNorm!, x);
      return embedding.width === d ? x : tf.matMul(x, weight(names.projectIn!), false, true);
    },
    positions:
      learnedPositions &&
      (() => weight(names.positions!).slice([firstPosition + learnedPositions.offset, 0], [seq, d])),
    tokenTypes: config.encoder && ((types) => tf.gather(weight(names.tokenTypes!), types) as Tensor2D),
    embeddingNorm: (x) => streamNorm(names.embeddingNorm!, x),
    attentionNorm: (layer, x) => streamNorm(at(layer, names.attentionNorm!), x),
    queryKeyValue: (layer, x) => queryKeyValue({ config, names, weights, window, tables }, layer, x),
    attentionOutput: (layer, z) =>
      written(layer, names.attentionOutputNorm, linear(at(layer, names.attentionOutput), z)),
    mlpNorm: (layer, x) => streamNorm(at(layer, names.mlpNorm!), x),
    mlpIn: (layer, x) => {
      const { mlpIn } = names;
      if ('fusedGateUp' in mlpIn) {
        const [pre, up] = tf.split<Tensor2D>(linear(at(layer, mlpIn.fusedGateUp), x), [neurons, neurons], 1);
        return { pre, up: () => up };
      }
      if ('router' in mlpIn) {
        const wide = (name: string) =>
          throughExperts(names, weights, expertModules(config, names, layer, name), x);
        return { pre: wide(mlpIn.gate), up: () => wide(mlpIn.up) };
      }
      const { gate, up } = mlpIn;
      return {
        pre: linear(at(layer, gate), x),
        up: up === undefined ? undefined : () => linear(at(layer, up), x),
      };
    },
    routerLogits: (layer, x) => linear(at(layer, 'router' in names.mlpIn ? names.mlpIn.router : ''), x),
    activationParameters: (layer) => activationParameters(weights, at(layer, names.mlp), config.activation),
    mlpOutput: (layer, post) => {
      const product = config.experts
        ? expertOutputs(names, weights, expertModules(config, names, layer, names.mlpOut), post)
        : linear(at(layer, names.mlpOut), post);
      return written(layer, names.mlpOutputNorm, product);
    },
    finalNorm: (x) => streamNorm(names.finalNorm, x),
    finalNormalised: (x) => normed({ ...norm, gain: false, bias: false }, names.finalNorm, x) as Tensor2D,
    finalGain: (x) => {
      const gain = normGain(weights, norm, names.finalNorm);
      const gained = gain ? tf.mul<Tensor2D>(x, gain) : x;
      return norm.bias ? tf.add<Tensor2D>(gained, weights.get(`${names.finalNorm}.bias`)!) : gained;
    },
    unembed: (x) => {
      if (config.encoder) x = headOf(x);
      const read = embedding.width === d ? x : tf.matMul<Tensor2D>(x, weight(names.projectOut!), false, true);
      const table = weight(config.tiedEmbeddings ? names.embedding : names.unembedding);
      let logits = tf.matMul<Tensor2D>(read, table, false, true);
      if (config.biases.unembedding) logits = tf.add(logits, weights.get(`${names.unembedding}.bias`)!);
      logits = scaled(logits, config.logitMultiplier);
      const cap = config.logitSoftCap;
      return cap === undefined ? logits : tf.mul(tf.tanh(tf.div(logits, cap)), cap);
    },
  };
}
