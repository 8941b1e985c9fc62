/**
 * Space folding of a language model's MLPs (The Space Between: On Folding, Symmetries and Sampling; METHODS.md §4). The straight
 * path runs between the embeddings (with positions) of two stretches of text, all positions moving at once; a layer's pattern is which of
 * its pre-activations are above 0. *Choice*: signs are used for activation functions without exact zeros as well.
 */
import { blockHook } from '../../models/hookPoints.ts';
import type { LanguageModel } from '../../models/languageModel.ts';
import { Random } from '../../numerics/random.ts';
import { tf, type Tensor2D, type Tensor3D } from '../../tensor/tf.ts';
import { activationPattern, spaceFolding, type ActivationPattern } from './spaceFolding.ts';

export interface FoldingOptions {
  /** Number of paths, of points on each (both ends included), and of tokens in a stretch of text. */
  paths: number;
  points: number;
  tokens: number;
}

const start = blockHook(0, 'hook_resid_pre');

/** χ of each layer, averaged over paths between random contexts [contexts · seq]. */
export async function modelFolding(
  model: LanguageModel,
  contexts: Int32Array,
  seq: number,
  { paths, points, tokens }: FoldingOptions,
  advance?: (tokens: number) => Promise<void>,
): Promise<number[]> {
  const { layers } = model.config;
  const length = Math.min(seq, tokens);
  const random = Random.fromSeed(0, 'space folding');
  const stretch = () => {
    const from = random.below(contexts.length / seq) * seq;
    return contexts.subarray(from, from + length);
  };
  const sums = new Float64Array(layers);
  for (let path = 0; path < paths; path++) {
    pathPatterns(model, stretch(), stretch(), points).forEach(
      (patterns, layer) => (sums[layer] += spaceFolding(patterns)),
    );
    await advance?.(points * length);
  }
  return Array.from(sums, (sum) => sum / paths);
}

/** [layers][points]: the activation pattern of each layer at each point of one path. */
function pathPatterns(
  model: LanguageModel,
  from: Int32Array,
  to: Int32Array,
  points: number,
): ActivationPattern[][] {
  const { layers, neurons } = model.config;
  const seq = from.length;
  const hooks = Array.from({ length: layers }, (_, layer) => blockHook(layer, 'mlp.hook_pre'));
  const path = tf.tidy(() => {
    const [first, last] = [from, to].map((ids) => {
      const { activations } = model.forward(tf.tensor2d(ids, [1, seq], 'int32'), {
        read: [start],
        readOnly: true,
      });
      return activations.get(start) as Tensor3D;
    });
    const steps = tf.linspace(0, 1, points).reshape([points, 1, 1]);
    const line = first.add(last.sub(first).mul(steps));
    tf.dispose([first, last]);
    return line;
  });
  const anyone = tf.zeros([points, seq], 'int32') as Tensor2D;
  const { activations } = model.forward(anyone, {
    read: hooks,
    readOnly: true,
    replace: { [start]: () => path.clone() },
  });
  const patterns = hooks.map((hook) => {
    const pre = activations.get(hook)!.dataSync<'float32'>();
    return Array.from({ length: points }, (_, p) =>
      activationPattern(pre.subarray(p * seq * neurons, (p + 1) * seq * neurons)),
    );
  });
  tf.dispose([path, anyone, ...activations.values()]);
  return patterns;
}
