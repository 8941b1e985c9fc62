/**
 * A mixture of experts as one wide MLP (Shazeer et al., 1701.06538; Jiang et al., 2401.04088): the neurons of expert e stand at
 * e·n … e·n + n − 1. A router gives each token weights on a few experts; what the neurons of an expert write is times
 * its weight, and 0 where the token does not go there. Every expert is computed for every token.
 */
import { tf } from '../../tensor/tf.ts';
import type { Tensor2D } from '../../tensor/tf.ts';
import type { ModelConfig } from '../modelConfig.ts';
import type { DecoderNames } from './family.ts';
import { inBlock, linearOf } from './storedModules.ts';
import type { Weights } from './storedModules.ts';

/** The names of one module of all experts. */
export function expertModules(
  config: ModelConfig,
  names: DecoderNames,
  layer: number,
  name: string,
): string[] {
  return Array.from({ length: config.experts?.count ?? 0 }, (_, expert) =>
    inBlock(names, layer, name.replace('{expert}', String(expert))),
  );
}

/** x [rows, d] through a matrix of each expert, side by side [rows, neurons]. */
export function throughExperts(
  names: DecoderNames,
  weights: Weights,
  modules: readonly string[],
  x: Tensor2D,
): Tensor2D {
  const linear = linearOf(names, weights);
  return tf.concat2d(
    modules.map((module) => linear(module, x)),
    1,
  );
}

/** post [rows, neurons] → [rows, d]: the sum of what the experts write. */
export function expertOutputs(
  names: DecoderNames,
  weights: Weights,
  modules: readonly string[],
  post: Tensor2D,
): Tensor2D {
  const linear = linearOf(names, weights);
  return tf
    .split<Tensor2D>(post, modules.length, 1)
    .map((part, expert) => linear(modules[expert], part))
    .reduce((sum, part) => tf.add<Tensor2D>(sum, part));
}
