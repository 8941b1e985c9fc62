/** Attention of one layer: from what it reads to z, with a tap at the pattern and at z. */
import {
  attentionPattern,
  causalAttention,
  causalAttentionWithEntropy,
  mixValues,
} from '../ops/attention.ts';
import type { ScoreChanges } from '../ops/attention.ts';
import { attentionEntropySums } from '../ops/attentionEntropySums.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor, Tensor2D, Tensor4D } from '../tensor/tf.ts';
import { alibiBias } from './alibi.ts';
import type { DecoderPass } from './decoderPass.ts';
import type { DecoderParts } from './families/decoderParts.ts';
import type { Window } from './families/storedModules.ts';
import { blockHook } from './hookPoints.ts';
import type { ModelConfig } from './modelConfig.ts';

/** z [rows, heads × head] of x [rows, d]. */
export function attend(
  { config, tap, cache }: DecoderPass,
  parts: DecoderParts,
  layer: number,
  x: Tensor2D,
  { batch, seq, firstPosition }: Window,
): Tensor2D {
  const { heads, headWidth } = config;
  const { scale } = config.attention[layer];
  const patternHook = blockHook(layer, 'attn.hook_pattern');
  const { q, k: newKeys, v: newValues } = parts.queryKeyValue(layer, x);
  const { k, v } = cache ? cache.extend(layer, newKeys, newValues) : { k: newKeys, v: newValues };
  const keys = firstPosition + seq;
  const changes = scoreChanges(config, layer, keys);
  let mixed: Tensor4D;
  if (changes || tap.at(patternHook)) {
    const shape = [batch, heads, seq, keys];
    const pattern = tap.pass(patternHook, attentionPattern(q, k, scale, changes), shape);
    if (tap.wantsEntropy) tap.keepEntropy(attentionEntropySums(pattern, config.encoder !== undefined));
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

/** What the layer does to its scores beyond scale and causal mask; undefined when nothing. */
function scoreChanges(config: ModelConfig, layer: number, keys: number): ScoreChanges | undefined {
  const { window, scale } = config.attention[layer];
  const { attentionSoftCap: softCap, alibi, heads } = config;
  // A window wider than the text hides nothing.
  const narrow = window !== undefined && window < keys ? window : undefined;
  const bias: Tensor | undefined =
    alibi && tf.tensor(alibiBias(heads, keys, alibi, scale), [1, heads, 1, keys]);
  const bothDirections = config.encoder !== undefined;
  return softCap === undefined && narrow === undefined && !bias && !bothDirections
    ? undefined
    : { softCap, window: narrow, bias, bothDirections };
}
