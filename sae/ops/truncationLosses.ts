import { hostValues } from '../tensor/hostValues.ts';
import type { Tensor2D } from '../tensor/tf.ts';
import { hasKernel, runKernel } from './fusedKernel.ts';

/**
 * What a layer's output loses as its neurons are masked one after the other: entry (t, j) is ‖Σ a_i · w_i‖ over the first j + 1
 * neurons in the order of token t, w_i being what neuron i writes. Sums are in double precision.
 *
 * @param activations a [tokens, neurons]
 * @param outputs w [neurons, d]
 * @param order int32 [tokens, neurons], each row a permutation of the neurons
 * @returns [tokens · neurons]
 */
export function truncationLosses(activations: Tensor2D, outputs: Tensor2D, order: Tensor2D): Float32Array {
  if (!hasKernel('TruncationLosses')) return referenceTruncationLosses(activations, outputs, order);
  return hostValues(() => runKernel('TruncationLosses', { activations, outputs, order }));
}

export function referenceTruncationLosses(
  activations: Tensor2D,
  outputs: Tensor2D,
  order: Tensor2D,
): Float32Array {
  const [neurons, d] = outputs.shape;
  const [a, rows, ranks] = [activations, outputs, order].map((tensor) => tensor.dataSync());
  const lost = new Float32Array(a.length);
  const sum = new Float64Array(d);
  for (let first = 0; first < a.length; first += neurons) {
    sum.fill(0);
    let norm = 0;
    for (let rank = first; rank < first + neurons; rank++) {
      const neuron = ranks[rank];
      const x = a[first + neuron];
      if (x !== 0) norm = Math.sqrt(addRow(sum, rows, neuron * d, x));
      lost[rank] = norm;
    }
  }
  return lost;
}

/** sum += a · the row of `rows` that starts at `from`; returns the sum's squared norm. */
function addRow(sum: Float64Array, rows: ArrayLike<number>, from: number, a: number): number {
  let squares = 0;
  for (let k = 0; k < sum.length; k++) {
    sum[k] += a * rows[from + k];
    squares += sum[k] * sum[k];
  }
  return squares;
}
