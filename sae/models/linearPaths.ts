/**
 * The linear ways out of a model: from a neuron into the residual stream, and from the residual stream to the logits,
 * as far as norms leave them linear.
 */
import { tf } from '../tensor/tf.ts';
import type { Tensor, Tensor2D } from '../tensor/tf.ts';
import { decoderNames } from './families/families.ts';
import { expertModules } from './families/expertMlp.ts';
import { inBlock, normGain } from './families/storedModules.ts';
import type { Weights } from './families/storedModules.ts';
import type { ModelConfig } from './modelConfig.ts';

/** Where a direction is added: to the residual stream, or behind the final norm's normalisation. */
export type UnembeddedFrom = 'residual' | 'normalized';

/** W_U [d, vocab] with the last norm's gain, LayerNorm's centring and the logits' multiplier in it; before any soft cap. */
export function foldedUnembedding(config: ModelConfig, weights: Weights, from: UnembeddedFrom): Tensor2D {
  return tf.tidy(() => {
    const names = decoderNames(config);
    const weight = (name: string) => weights.get(`${name}.weight`) as Tensor2D;
    const { norm, embedding, layers } = config;
    let unembedding = weight(config.tiedEmbeddings ? names.embedding : names.unembedding);
    if (embedding.width !== config.d) unembedding = tf.matMul(unembedding, weight(names.projectOut!));
    if (config.logitMultiplier !== 1) unembedding = tf.mul(unembedding, config.logitMultiplier);
    const last =
      config.finalNorm ? names.finalNorm
      : config.normPlacement === 'after' ? inBlock(names, layers - 1, names.mlpNorm!)
      : undefined; // prettier-ignore
    const gain = last === undefined ? undefined : normGain(weights, norm, last);
    const folded = tf.transpose(gain ? unembedding.mul(gain) : unembedding) as Tensor2D; // [d, vocab]
    // LayerNorm subtracts the mean over d first, which takes the mean over d out of every column.
    const centred = last !== undefined && norm.kind === 'layer' && from === 'residual';
    return centred ? folded.sub<Tensor2D>(folded.mean(0, true)) : folded;
  });
}

/**
 * W_down of a layer, neuron-major [neurons, d], with the gain of a norm on the MLP's output and the residual multiplier in
 * it; a new tensor. Such a norm also divides by the size of the whole output, which is left out.
 */
export function neuronOutputs(config: ModelConfig, weights: Weights, layer: number): Tensor2D {
  return tf.tidy(() => {
    const names = decoderNames(config);
    const modules = config.experts
      ? expertModules(config, names, layer, names.mlpOut)
      : [inBlock(names, layer, names.mlpOut)];
    const parts = modules.map((module) => {
      const stored = weights.get(`${module}.weight`) as Tensor2D;
      return names.stored === 'inOut' ? tf.clone(stored) : (tf.transpose(stored) as Tensor2D);
    });
    const rows = parts.length === 1 ? parts[0] : tf.concat2d(parts, 0);
    const { mlpOutputNorm } = names;
    const gain: Tensor | undefined =
      mlpOutputNorm === undefined
        ? undefined
        : normGain(weights, config.norm, inBlock(names, layer, mlpOutputNorm));
    const gained = gain ? rows.mul<Tensor2D>(gain) : rows;
    return config.residualMultiplier === 1 ? gained : gained.mul(config.residualMultiplier);
  });
}
