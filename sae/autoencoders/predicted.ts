import type { DictionaryTensors } from '../ops/fusedKernels.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';

/**
 * What activations f [batch, latents] predict, for the definitions: `f·W_dec + b_dec` [batch, outputs], and of a skip transcoder
 * `+ x·W_skipᵀ` (Paulo, Shabalin & Belrose, 2501.18823, §3; METHODS.md §1).
 */
export function predicted(
  { wDec, bDec, wSkip }: Pick<DictionaryTensors, 'wDec' | 'bDec' | 'wSkip'>,
  f: Tensor2D,
  x: Tensor2D,
): Tensor2D {
  const decoded = tf.matMul(f, wDec).add<Tensor2D>(bDec);
  return wSkip ? decoded.add<Tensor2D>(tf.matMul(x, wSkip, false, true)) : decoded;
}
