/**
 * Which experts each token goes to in one layer of a mixture (Shazeer et al., 1701.06538; Jiang et al., 2401.04088), with taps at the
 * router and at each expert. A softmax over all experts; the heaviest few are kept and their weights brought to sum 1.
 */
import { tf } from '../tensor/tf.ts';
import type { Tensor, Tensor2D } from '../tensor/tf.ts';
import type { DecoderPass } from './decoderPass.ts';
import type { DecoderParts } from './families/decoderParts.ts';
import type { Window } from './families/storedModules.ts';
import { blockHook, expertHook } from './hookPoints.ts';
import type { ExpertHook } from './hookPoints.ts';

export interface Routes {
  /** Passes the experts' parts of x [rows, neurons] by their hook points, where rows that don't go to the expert are 0; elsewhere x is unchanged. */
  pass(hook: ExpertHook, x: Tensor2D): Tensor2D;
  /** x [rows, neurons] times the router's weight of each neuron's expert, 0 where the token does not go. */
  weigh(x: Tensor2D): Tensor2D;
}

export function routeTokens(
  { config, tap }: DecoderPass,
  parts: DecoderParts,
  layer: number,
  x: Tensor2D,
  { batch, seq }: Window,
): Routes {
  const { count, perToken } = config.experts!;
  const width = config.neurons / count;
  const rows = batch * seq;
  const softmax = tf.softmax(parts.routerLogits(layer, x)) as Tensor2D;
  const weights = tap.pass(blockHook(layer, 'mlp.hook_expert_weights'), softmax, [batch, seq, count]);
  const best = tf.topk(weights, perToken).indices as Tensor2D;
  const indices = tap.pass(blockHook(layer, 'mlp.hook_expert_indices'), best, [batch, seq, perToken]);
  const chosen = chosenExperts(indices, count); // [rows, experts]
  const kept = tf.mul<Tensor2D>(weights, chosen);
  const shares = tf.div<Tensor2D>(kept, kept.sum(1, true));
  const spread = (byExpert: Tensor) => byExpert.reshape([rows, count, 1]);
  return {
    pass(hook, all) {
      const names = Array.from({ length: count }, (_, expert) => expertHook(layer, expert, hook));
      if (!names.some((name) => tap.at(name))) return all;
      const own = tf.split<Tensor2D>(all, count, 1);
      const went = tf.split<Tensor2D>(chosen, count, 1);
      const passed = own.map((part, expert) => {
        if (!tap.at(names[expert])) return part;
        const here = tap.pass(names[expert], tf.mul<Tensor2D>(part, went[expert]), [batch, seq, width]);
        return tf.where(tf.tile(went[expert], [1, width]).cast('bool'), here, part);
      });
      return tf.concat2d(passed, 1);
    },
    weigh: (all) => all.reshape([rows, count, width]).mul(spread(shares)).reshape([rows, config.neurons]),
  };
}

/** 1 where a token goes to an expert, 0 elsewhere: indices [..., perToken] → [rows, experts]. */
export function chosenExperts(indices: Tensor, experts: number): Tensor2D {
  const perToken = indices.shape.at(-1)!;
  return tf.tidy(() => {
    const hot = tf.equal(indices.reshape([-1, perToken, 1]), tf.range(0, experts, 1, 'int32'));
    return hot.any(1).cast('float32') as Tensor2D;
  });
}
