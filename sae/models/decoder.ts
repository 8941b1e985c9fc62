/**
 * The forward pass of a decoder, the same for every family: embedding, blocks of attention and MLP that add to the
 * residual stream, final norm, unembedding; a tap at every hook point. Where norms stand and whether attention and MLP
 * come one after the other is the description's to say. Differentiable: under `tf.variableGrads` the same code
 * trains a model.
 */
import { tf } from '../tensor/tf.ts';
import type { Tensor2D, Tensor3D } from '../tensor/tf.ts';
import { attend } from './attend.ts';
import type { DecoderPass } from './decoderPass.ts';
import { decoderParts } from './families/decoderParts.ts';
import type { DecoderParts } from './families/decoderParts.ts';
import { decoderNames } from './families/families.ts';
import type { Window } from './families/storedModules.ts';
import { blockHook } from './hookPoints.ts';
import type { HookTap } from './hookTap.ts';
import { runMlp } from './runMlp.ts';

/**
 * Logits [batch × seq, vocab], or the residual stream [batch × seq, d] where the pass is to end before them, or
 * undefined when the tap needs nothing further. Tokens int32 [batch, seq] must be in range and fit the context;
 * decoderModel.ts checks what comes from outside.
 */
export function runDecoder(pass: DecoderPass, tokens: Tensor2D): Tensor2D | undefined {
  const { config, weights, tap, cache, from, until } = pass;
  const [batch, seq] = tokens.shape;
  const window: Window = { batch, seq, firstPosition: cache?.length ?? 0 };
  const residual = [batch, seq, config.d];
  const rows = tf.tidy(() => {
    const parts = decoderParts(config, decoderNames(config), weights, window);
    let x = from
      ? from.residual.reshape<Tensor2D>([batch * seq, config.d])
      : embedded(pass, parts, tokens, residual);
    for (let layer = from?.layer ?? 0; layer < (until ?? config.layers) && !tap.finished; layer++) {
      const before = x;
      x = tf.tidy(() => runBlock(pass, parts, layer, before, window));
      // Under a gradient tape the tape holds what it needs; outside, this frees a layer's worth of memory.
      if (before !== x) before.dispose();
    }
    if (until !== undefined) return [x];
    if (tap.finished) return [];
    if (config.finalNorm) x = normFinally(tap, parts, x, residual);
    return tap.finished || config.encoder?.head === false ? [] : [parts.unembed(x)];
  });
  return rows[0];
}

function embedded(pass: DecoderPass, parts: DecoderParts, tokens: Tensor2D, residual: number[]): Tensor2D {
  const { tap, tokenTypes = tf.zerosLike(tokens) } = pass;
  let x = tap.pass('hook_embed', parts.embed(tokens.flatten()), residual);
  if (parts.positions && !tap.finished) x = addPositions(tap, x, parts.positions(), residual);
  if (!parts.tokenTypes || tap.finished) return x;
  const types = tap.pass('hook_token_type_embed', parts.tokenTypes(tokenTypes.flatten()), residual);
  return tap.pass('hook_full_embed', parts.embeddingNorm(tf.add<Tensor2D>(x, types)), residual);
}

function addPositions(tap: HookTap, x: Tensor2D, positions: Tensor2D, residual: number[]): Tensor2D {
  const [batch] = residual;
  // Every context has the same positions; they are copied for each only where somebody looks.
  const added = tap.at('hook_pos_embed')
    ? tap.pass('hook_pos_embed', tf.tile(positions.expandDims<Tensor3D>(0), [batch, 1, 1]), residual)
    : positions;
  return x.reshape(residual).add(added).reshape(x.shape);
}

/** In one kernel, unless somebody stands between the normalisation and the gain. */
function normFinally(tap: HookTap, parts: DecoderParts, x: Tensor2D, residual: number[]): Tensor2D {
  const hook = 'ln_final.hook_normalized';
  if (!tap.at(hook)) return parts.finalNorm(x);
  const normalised = tap.pass(hook, parts.finalNormalised(x), residual);
  return tap.finished ? normalised : parts.finalGain(normalised);
}

function runBlock(pass: DecoderPass, parts: DecoderParts, layer: number, input: Tensor2D, window: Window) {
  const { config, tap } = pass;
  const { normPlacement, parallel } = config;
  const { batch, seq } = window;
  const residual = [batch, seq, config.d];
  const normedBefore = normPlacement === 'before' || normPlacement === 'both';

  const x = tap.pass(blockHook(layer, 'hook_resid_pre'), input, residual);
  if (tap.finished) return x;
  const read = normedBefore ? parts.attentionNorm(layer, x) : x;
  const z = attend(pass, parts, layer, read, window);
  if (tap.finished) return x;
  const attentionOut = tap.pass(blockHook(layer, 'hook_attn_out'), parts.attentionOutput(layer, z), residual);
  if (parallel) {
    if (tap.finished) return x;
    const own = parallel === 'sharedNorm' || !normedBefore ? read : parts.mlpNorm(layer, x);
    const mlpOut = runMlp(pass, parts, layer, own, window);
    if (!mlpOut) return x;
    const sum = tf.add<Tensor2D>(tf.add(x, attentionOut), mlpOut);
    return tap.pass(blockHook(layer, 'hook_resid_post'), sum, residual);
  }
  const middle = tap.pass(blockHook(layer, 'hook_resid_mid'), tf.add<Tensor2D>(x, attentionOut), residual);
  if (tap.finished) return middle;
  const stream = normPlacement === 'after' ? parts.attentionNorm(layer, middle) : middle;
  const mlpOut = runMlp(pass, parts, layer, normedBefore ? parts.mlpNorm(layer, stream) : stream, window);
  if (!mlpOut) return stream;
  const sum = tap.pass(blockHook(layer, 'hook_resid_post'), tf.add<Tensor2D>(stream, mlpOut), residual);
  if (normPlacement !== 'after' || tap.finished) return sum;
  const normed = parts.mlpNorm(layer, sum);
  return config.encoder ? tap.pass(blockHook(layer, 'hook_normalized_resid_post'), normed, residual) : normed;
}
