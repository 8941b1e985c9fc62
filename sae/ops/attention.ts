import { tf, type Tensor, type Tensor2D, type Tensor4D } from '../tensor/tf.ts';
import { LazyscopeError } from '../errors.ts';
import { attentionEntropySums } from './attentionEntropySums.ts';
import { hasKernel, registerFusedGradient, runKernel, runKernels } from './fusedKernel.ts';

/**
 * softmax(scale · q·kᵀ + causal mask) · v for each head (Vaswani et al., 1706.03762).
 *
 * Grouped-query: k and v may have fewer heads; query head h reads key-value head ⌊h / (heads / kvHeads)⌋.
 * When k is longer than q (a key-value cache), the queries are the last positions.
 *
 * @param q [batch, heads, seq, head]
 * @param k [batch, kvHeads, keySeq, head], keySeq ≥ seq, heads a multiple of kvHeads
 * @param v [batch, kvHeads, keySeq, head]
 * @param scale usually 1/sqrt(head)
 * @returns [batch, heads, seq, head]
 */
export function causalAttention(q: Tensor4D, k: Tensor4D, v: Tensor4D, scale: number): Tensor4D {
  checkShapes(q, k, v);
  if (hasKernel('CausalAttention')) return runKernel('CausalAttention', { q, k, v }, { scale });
  return referenceCausalAttention(q, k, v, scale);
}

/**
 * Causal attention together with the entropy sums of attentionEntropySums.ts, [batch, heads], which are computed while the scores
 * are in memory, so that the pattern need not be stored. It is for measuring and has no gradient.
 */
export function causalAttentionWithEntropy(
  q: Tensor4D,
  k: Tensor4D,
  v: Tensor4D,
  scale: number,
): [mixed: Tensor4D, entropySums: Tensor2D] {
  checkShapes(q, k, v);
  if (hasKernel('CausalAttentionWithEntropy'))
    return runKernels('CausalAttentionWithEntropy', { q, k, v }, { scale }) as [Tensor4D, Tensor2D];
  return referenceCausalAttentionWithEntropy(q, k, v, scale);
}

function checkShapes(q: Tensor4D, k: Tensor4D, v: Tensor4D): void {
  const [batch, heads, seq, head] = q.shape;
  const [, kvHeads, keySeq] = k.shape;
  if (
    k.shape.join() !== v.shape.join() ||
    k.shape[0] !== batch ||
    k.shape[3] !== head ||
    heads % kvHeads !== 0 ||
    keySeq < seq
  )
    throw new LazyscopeError(
      'bad_input',
      `causalAttention needs k and v [${batch}, a divisor of ${heads}, ≥ ${seq}, ${head}] for q [${q.shape.join(', ')}] but got k [${k.shape.join(', ')}] and v [${v.shape.join(', ')}].`,
    );
}

export function referenceCausalAttention(q: Tensor4D, k: Tensor4D, v: Tensor4D, scale: number): Tensor4D {
  return tf.tidy(() => mixValues(attentionPattern(q, k, scale), v));
}

export function referenceCausalAttentionWithEntropy(
  q: Tensor4D,
  k: Tensor4D,
  v: Tensor4D,
  scale: number,
): [mixed: Tensor4D, entropySums: Tensor2D] {
  return tf.tidy(() => {
    const pattern = attentionPattern(q, k, scale);
    return [mixValues(pattern, v), attentionEntropySums(pattern)];
  });
}

/** What some families do to the scores; none of it has a kernel of its own. */
export interface ScoreChanges {
  /** c in c · tanh(score / c). */
  softCap?: number;
  /** Added to the capped scores, broadcastable to [batch, heads, seq, keySeq]. */
  bias?: Tensor;
  /** How many keys a query sees, itself included. */
  window?: number;
  /** Whether a query also sees the keys after it. */
  bothDirections?: boolean;
}

/**
 * softmax(q·kᵀ · scale + causal mask) [batch, heads, seq, keySeq], with changes to the scores, composed of plain ops. It is
 * used where scores are changed or attn.hook_pattern is read or replaced, and is the reference for the fused kernel.
 * Queries and keys are as in `causalAttention`.
 */
export function attentionPattern(
  q: Tensor4D,
  k: Tensor4D,
  scale: number,
  { softCap, bias, window, bothDirections }: ScoreChanges = {},
): Tensor4D {
  return tf.tidy(() => {
    const [, heads, seq] = q.shape;
    const keySeq = k.shape[2];
    let scores = tf.matMul(q, repeatHeads(k, heads), false, true).mul(scale);
    if (softCap !== undefined) scores = tf.tanh(scores.div(softCap)).mul(softCap);
    if (bias) scores = scores.add(bias);
    if (bothDirections) return tf.softmax(scores) as Tensor4D;
    const query = tf.range(keySeq - seq, keySeq, 1, 'int32').reshape([seq, 1]);
    const key = tf.range(0, keySeq, 1, 'int32').reshape([1, keySeq]);
    const before = tf.lessEqual(key, query);
    const seen =
      window === undefined
        ? before
        : tf.logicalAnd(before, tf.greater(key, query.sub(tf.scalar(window, 'int32'))));
    const mask = tf.where(seen, tf.scalar(0), tf.scalar(-Infinity));
    return tf.softmax(scores.add(mask)) as Tensor4D;
  });
}

/** pattern · v: [batch, heads, seq, head]. */
export function mixValues(pattern: Tensor4D, v: Tensor4D): Tensor4D {
  return tf.tidy(() => tf.matMul(pattern, repeatHeads(v, pattern.shape[1])) as Tensor4D);
}

/** [batch, kvHeads, seq, head] → [batch, heads, seq, head], each head repeated for its group. */
function repeatHeads(x: Tensor4D, heads: number): Tensor4D {
  const [batch, kvHeads, seq, head] = x.shape;
  if (kvHeads === heads) return x;
  const group = heads / kvHeads;
  // Rank 4, because tfjs has no gradient for tiling five axes.
  return tf
    .tile(x.reshape([batch, kvHeads, 1, seq * head]), [1, 1, group, 1])
    .reshape([batch, heads, seq, head]);
}

registerFusedGradient(
  'CausalAttention',
  { inputs: ['q', 'k', 'v'], outputs: [true] },
  (dy, [q, k, v, y], { scale }) => {
    const [dq, dk, dv] = runKernels('CausalAttentionGrad', { q, k, v, y, dy }, { scale });
    return { q: dq, k: dk, v: dv };
  },
);
