/**
 * Attention composed of plain ops, with the pattern in the open: the path when someone reads or replaces
 * attn.hook_pattern. Everything else takes the fused op.
 */
import { tf } from '../tensor/tf.ts';
import type { Tensor4D } from '../tensor/tf.ts';

/**
 * softmax(q·kᵀ · scale + causal mask) [batch, heads, seq, keys]. The queries are the last `seq` of `keys`
 * positions. k [batch, keyValueHeads, keys, head].
 */
export function attentionPattern(q: Tensor4D, k: Tensor4D, scale: number): Tensor4D {
  return tf.tidy(() => {
    const [, heads, seq] = q.shape;
    const keys = k.shape[2];
    const scores = tf.matMul(q, repeatHeads(k, heads), false, true).mul(scale);
    if (seq === 1) return tf.softmax(scores) as Tensor4D;
    const mask = new Float32Array(seq * keys);
    for (let i = 0; i < seq; i++) for (let j = keys - seq + i + 1; j < keys; j++) mask[i * keys + j] = -1e9;
    return tf.softmax(scores.add(tf.tensor2d(mask, [seq, keys]))) as Tensor4D;
  });
}

/** pattern · v: [batch, heads, seq, head]. */
export function mixValues(pattern: Tensor4D, v: Tensor4D): Tensor4D {
  return tf.tidy(() => tf.matMul(pattern, repeatHeads(v, pattern.shape[1])) as Tensor4D);
}

/** Gives every query head its own copy of the key-value head it shares with its neighbours. */
function repeatHeads(x: Tensor4D, heads: number): Tensor4D {
  const [batch, keyValueHeads, keys, head] = x.shape;
  if (keyValueHeads === heads) return x;
  const group = heads / keyValueHeads;
  return x
    .reshape([batch, keyValueHeads, 1, keys * head])
    .tile([1, 1, group, 1])
    .reshape([batch, heads, keys, head]);
}
