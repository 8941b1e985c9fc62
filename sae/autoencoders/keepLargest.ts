import { tf, type Tensor, type Tensor2D } from '../tensor/tf.ts';

/** `values` where `rank` is among the k largest of its row, 0 elsewhere; the choice carries no gradient. */
export function keepLargest(values: Tensor2D, rank: Tensor2D, k: number): Tensor2D {
  const mask = withoutGradient(rank, (r) =>
    tf.oneHot(tf.topk(r, k).indices, r.shape[1], 1, 0, 'float32').sum(1),
  );
  return values.mul(mask);
}

/** A function of x that counts as constant in gradients. */
export function withoutGradient<T extends Tensor>(x: T, f: (x: T) => T): T {
  return tf.customGrad((value) => ({
    value: f(value as T),
    gradFunc: () => tf.zerosLike(x),
  }))(x) as T;
}
