import { tf, type Tensor2D, type Tensor4D } from '../tensor/tf.ts';

/**
 * Σ over queries of H(p)/log(n), p the query's attention over the n positions it can see, for each context and head. For a
 * query that sees a single position this is undefined, and the query is left out.
 *
 * @param pattern [batch, heads, seq, keys], the queries the last `seq` of `keys` positions; row q sums to 1 over the
 *   keys up to its own place and is 0 after it
 * @param bothDirections whether queries see all keys instead
 * @returns [batch, heads]
 */
export function attentionEntropySums(pattern: Tensor4D, bothDirections = false): Tensor2D {
  return tf.tidy(() => {
    const [batch, heads, seq, keys] = pattern.shape;
    const seen = (query: number) => (bothDirections ? keys : keys - seq + query + 1);
    const weights = Array.from({ length: seq }, (_, q) => (seen(q) > 1 ? 1 / Math.log(seen(q)) : 0));
    // 0 · log 0 counts as 0, its limit, where floating point would give NaN.
    const logs = tf.log(tf.where(pattern.greater(0), pattern, tf.onesLike(pattern)));
    const entropies = pattern.mul(logs).sum(3).neg(); // [batch, heads, seq]
    return entropies.mul(tf.tensor1d(weights)).sum(2).reshape([batch, heads]) as Tensor2D;
  });
}
