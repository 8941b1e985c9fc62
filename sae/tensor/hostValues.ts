import { tf, type Tensor } from './tf.ts';

/**
 * What `compute` makes, read back; everything in between is disposed. Not the same as returning `dataSync()` from
 * `tf.tidy`: tidy looks for tensors in whatever it is given back, number by number in a typed array, which
 * costs more than most products.
 */
export function hostValues(compute: () => Tensor): Float32Array {
  const result = tf.tidy(compute);
  const values = result.dataSync<'float32'>();
  result.dispose();
  return values;
}
