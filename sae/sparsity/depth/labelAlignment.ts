/**
 * Linear CKA between a representation and labels (METHODS.md §4; Task structure and nonlinearity jointly determine learned
 * representational geometry): how far the similarity of two tokens' representations agrees with having the same label. Labels are
 * one-hot vectors, so ‖XcᵀY‖² is a sum over classes, and no [tokens, classes] matrix is made.
 */
import { hostValues } from '../../tensor/hostValues.ts';
import { tf } from '../../tensor/tf.ts';

/** CKA of x [tokens, d] with labels [tokens], in [0, 1]; NaN when either of them does not vary. */
export function labelAlignment(x: Float32Array, d: number, labels: Int32Array): number {
  const tokens = labels.length;
  const centred = centre(x, d);
  const sums = new Map<number, Float64Array>();
  const counts = new Map<number, number>();
  labels.forEach((label, t) => {
    const sum = sums.get(label) ?? new Float64Array(d);
    for (let k = 0, at = t * d; k < d; k++, at++) sum[k] += centred[at];
    sums.set(label, sum);
    counts.set(label, (counts.get(label) ?? 0) + 1);
  });
  let cross = 0;
  for (const sum of sums.values()) for (const value of sum) cross += value * value;
  const gram = hostValues(() => {
    const rows = tf.tensor2d(centred, [tokens, d]);
    return tf.matMul(rows, rows, true);
  });
  const xx = Math.sqrt(gram.reduce((sum, value) => sum + value * value, 0));
  // ‖D − nnᵀ/N‖, the norm of the centred label kernel, where n are the class sizes and D = diag(n).
  let [squares, cubes] = [0, 0];
  for (const n of counts.values()) {
    squares += n ** 2;
    cubes += n ** 3;
  }
  const yy = Math.sqrt(Math.max(0, squares - (2 * cubes) / tokens + (squares / tokens) ** 2));
  return cross / (xx * yy);
}

function centre(x: Float32Array, d: number): Float32Array {
  const tokens = x.length / d;
  const mean = new Float64Array(d);
  for (let at = 0; at < x.length; at++) mean[at % d] += x[at] / tokens;
  return x.map((value, at) => value - mean[at % d]);
}
