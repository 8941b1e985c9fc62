/** The MLP of one layer, dense or a mixture of experts, with a tap at each of its hook points. */
import { tf } from '../tensor/tf.ts';
import type { Tensor2D } from '../tensor/tf.ts';
import { applyActivationFunction } from './activationFunctions/activationFunctions.ts';
import type { DecoderPass } from './decoderPass.ts';
import type { DecoderParts } from './families/decoderParts.ts';
import type { Window } from './families/storedModules.ts';
import { blockHook } from './hookPoints.ts';
import { routeTokens } from './routeTokens.ts';

/** What the MLP adds to the residual stream, or undefined when the tap needs nothing further. */
export function runMlp(
  pass: DecoderPass,
  parts: DecoderParts,
  layer: number,
  x: Tensor2D,
  window: Window,
): Tensor2D | undefined {
  const { config, tap, draws } = pass;
  const { batch, seq } = window;
  const neurons = [batch, seq, config.neurons];
  const routes = config.experts && routeTokens(pass, parts, layer, x, window);
  if (tap.finished) return undefined;
  const { pre: product, up } = parts.mlpIn(layer, x);
  const gate = routes ? routes.pass('hook_gate', product) : product;
  const pre = tap.pass(blockHook(layer, 'mlp.hook_pre'), gate, neurons);
  if (tap.finished) return undefined;
  const own = parts.activationParameters(layer);
  const active = applyActivationFunction(config.activation, pre, own, draws) as Tensor2D;
  const factor = up && (routes ? routes.pass('hook_pre', up()) : up());
  if (tap.finished) return undefined;
  const gated = factor ? tf.mul<Tensor2D>(active, factor) : active;
  const written = routes ? routes.weigh(routes.pass('hook_post', gated)) : gated;
  const post = tap.pass(blockHook(layer, 'mlp.hook_post'), written, neurons);
  if (tap.finished) return undefined;
  return tap.pass(blockHook(layer, 'hook_mlp_out'), parts.mlpOutput(layer, post), [batch, seq, config.d]);
}
