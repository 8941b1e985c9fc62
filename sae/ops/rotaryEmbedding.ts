import { tf, type Tensor2D, type Tensor4D } from '../tensor/tf.ts';
import { hasKernel, registerFusedGradient, runKernel } from './fusedKernel.ts';

/**
 * Rotates the pairs (x[i], x[i + head/2]) by each position's angles: the half-split convention of Hugging
 * Face's Llama (Su et al., 2104.09864, pair up neighbours instead).
 *
 * @param x [batch, heads, seq, head], head even
 * @param cos [seq, head/2]
 * @param sin [seq, head/2]
 */
export function rotaryEmbedding(x: Tensor4D, cos: Tensor2D, sin: Tensor2D): Tensor4D {
  if (hasKernel('RotaryEmbedding')) return runKernel('RotaryEmbedding', { x, cos, sin }, { inverse: false });
  return referenceRotaryEmbedding(x, cos, sin);
}

export function referenceRotaryEmbedding(x: Tensor4D, cos: Tensor2D, sin: Tensor2D): Tensor4D {
  return tf.tidy(() => {
    const [a, b] = tf.split(x, 2, 3);
    return tf.concat([a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin))], 3) as Tensor4D;
  });
}

// A rotation's transpose is the rotation back. The tables are constants: they get no gradient.
registerFusedGradient('RotaryEmbedding', { inputs: ['cos', 'sin'] }, (dy, [cos, sin], { inverse }) => ({
  x: runKernel('RotaryEmbedding', { x: dy, cos, sin }, { inverse: !inverse }),
}));
