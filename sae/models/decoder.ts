/**
 * The forward pass of a pre-norm decoder, the same for every family: embedding, blocks of attention and
 * MLP that add to the residual stream, final norm, unembedding; a tap at every hook point.
 * Differentiable: under `tf.variableGrads` the same code trains a model.
 */
import {
  attentionPattern,
  causalAttention,
  causalAttentionWithEntropy,
  mixValues,
} from '../ops/attention.ts';
import { attentionEntropySums } from '../ops/attentionEntropySums.ts';
import type { Random } from '../numerics/random.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor2D, Tensor4D } from '../tensor/tf.ts';
import { applyActivationFunction } from './activationFunctions/activationFunctions.ts';
import type { DecoderParts, Weights, Window } from './families/decoderParts.ts';
import { familyOf } from './families/families.ts';
import { blockHook } from './hookPoints.ts';
import type { HookTap } from './hookTap.ts';
import type { KeyValueCache } from './keyValueCache.ts';
import type { ModelConfig } from './modelConfig.ts';

export interface DecoderPass {
  config: ModelConfig;
  weights: Weights;
  tap: HookTap;
  cache?: KeyValueCache;
  /** While a model trains: what its activation function draws from, if it draws. */
  draws?: Random;
}

/**
 * Logits [batch × seq, vocab], or undefined when the tap needs nothing further. Tokens int32 [batch, seq]
 * must be in range and fit the context; decoderModel.ts checks what comes from outside.
 */
export function runDecoder(pass: DecoderPass, tokens: Tensor2D): Tensor2D | undefined {
  const { config, weights, tap, cache } = pass;
  const [batch, seq] = tokens.shape;
  const window: Window = { batch, seq, firstPosition: cache?.length ?? 0 };
  const residual = [batch, seq, config.d];
  const rows = tf.tidy(() => {
    const parts = familyOf(config).parts(weights, window);
    let x = tap.pass('hook_embed', parts.embed(tokens.flatten()), residual);
    for (let layer = 0; layer < config.layers && !tap.finished; layer++) {
      const before = x;
      x = tf.tidy(() => runBlock(pass, parts, layer, before, window));
      // Under a gradient tape the tape holds what it needs; outside, this frees a layer's worth of memory.
      if (before !== x) before.dispose();
    }
    if (tap.finished) return [];
    x = tap.pass('ln_final.hook_normalized', parts.finalNorm(x), residual);
    return tap.finished ? [] : [parts.unembed(x)];
  });
  return rows[0];
}

function runBlock(pass: DecoderPass, parts: DecoderParts, layer: number, input: Tensor2D, window: Window) {
  const { config, tap } = pass;
  const { batch, seq } = window;
  const residual = [batch, seq, config.d];
  const neurons = [batch, seq, config.neurons];

  let x = tap.pass(blockHook(layer, 'hook_resid_pre'), input, residual);
  if (tap.finished) return x;
  const z = attend(pass, parts, layer, parts.attentionNorm(layer, x), window);
  if (tap.finished) return x;
  const attentionOut = tap.pass(blockHook(layer, 'hook_attn_out'), parts.attentionOutput(layer, z), residual);
  x = tap.pass(blockHook(layer, 'hook_resid_mid'), tf.add<Tensor2D>(x, attentionOut), residual);
  if (tap.finished) return x;

  const normed = parts.mlpNorm(layer, x);
  const pre = tap.pass(blockHook(layer, 'mlp.hook_pre'), parts.mlpPre(layer, normed), neurons);
  if (tap.finished) return x;
  const active = applyActivationFunction(
    config.activation,
    pre,
    parts.activationParameters(layer),
    pass.draws,
  ) as Tensor2D;
  const gated = parts.mlpUp ? tf.mul<Tensor2D>(active, parts.mlpUp(layer, normed)) : active;
  const post = tap.pass(blockHook(layer, 'mlp.hook_post'), gated, neurons);
  if (tap.finished) return x;
  const mlpOut = tap.pass(blockHook(layer, 'hook_mlp_out'), parts.mlpOutput(layer, post), residual);
  return tap.pass(blockHook(layer, 'hook_resid_post'), tf.add<Tensor2D>(x, mlpOut), residual);
}

/** z [rows, heads × head] of x [rows, d]. */
function attend(
  { config, tap, cache }: DecoderPass,
  parts: DecoderParts,
  layer: number,
  x: Tensor2D,
  { batch, seq, firstPosition }: Window,
): Tensor2D {
  const { heads, headWidth } = config;
  const scale = 1 / Math.sqrt(headWidth);
  const patternHook = blockHook(layer, 'attn.hook_pattern');
  const { q, k: newKeys, v: newValues } = parts.queryKeyValue(layer, x);
  const { k, v } = cache ? cache.extend(layer, newKeys, newValues) : { k: newKeys, v: newValues };
  let mixed: Tensor4D;
  if (tap.at(patternHook)) {
    const shape = [batch, heads, seq, firstPosition + seq];
    const pattern = tap.pass(patternHook, attentionPattern(q, k, scale), shape);
    if (tap.wantsEntropy) tap.keepEntropy(attentionEntropySums(pattern));
    mixed = mixValues(pattern, v);
  } else if (tap.wantsEntropy) {
    const [values, entropySums] = causalAttentionWithEntropy(q, k, v, scale);
    tap.keepEntropy(entropySums);
    mixed = values;
  } else {
    mixed = causalAttention(q, k, v, scale);
  }
  const z = mixed.transpose([0, 2, 1, 3]) as Tensor4D; // [batch, seq, heads, head]
  return tap
    .pass(blockHook(layer, 'attn.hook_z'), z, [batch, seq, heads, headWidth])
    .reshape([batch * seq, heads * headWidth]);
}
