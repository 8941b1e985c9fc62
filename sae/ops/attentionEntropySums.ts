import type { Tensor4D } from '../tensor/tf.ts';
import { hasKernel, runKernel } from './fusedKernel.ts';

/**
 * Σ over queries 1 … seq − 1 of H(p)/log(n), p the query's attention over the n = query + 1 positions it can see, for each
 * context and head; the first query sees one position and has no entropy to speak of.
 *
 * @param pattern [batch, heads, seq, seq]; row q sums to 1 over keys 0 … q
 * @returns [batch × heads]
 */
export function attentionEntropySums(pattern: Tensor4D): Float32Array {
  if (!hasKernel('AttentionEntropySums')) return referenceAttentionEntropySums(pattern);
  const sums = runKernel('AttentionEntropySums', { pattern });
  const values = sums.dataSync<'float32'>();
  sums.dispose();
  return values;
}

export function referenceAttentionEntropySums(pattern: Tensor4D): Float32Array {
  const [batch, heads, seq] = pattern.shape;
  const p = pattern.dataSync<'float32'>();
  return Float32Array.from({ length: batch * heads }, (_, head) => {
    let sum = 0;
    for (let query = 1; query < seq; query++) {
      const row = (head * seq + query) * seq;
      let entropy = 0;
      for (let key = 0; key <= query; key++)
        if (p[row + key] > 0) entropy -= p[row + key] * Math.log(p[row + key]);
      sum += entropy / Math.log(query + 1);
    }
    return sum;
  });
}
