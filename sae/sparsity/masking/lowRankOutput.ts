/**
 * R-Sparse (2504.19449): y ≈ W(x ⊙ 1_S) + W_r(x ⊙ (1 − 1_S)), W_r the rank-r truncation of W_down by its singular values; what is masked is not
 * lost but goes through r directions.
 */
import { leadingEigenvectors } from '../../numerics/leadingEigenvectors.ts';
import { hostValues } from '../../tensor/hostValues.ts';
import { tf, type Tensor2D } from '../../tensor/tf.ts';
import type { OutputCorrection } from './intervention.ts';

/**
 * The right singular vectors of W_down, neuron-major [neurons, d], that belong to the `rank` largest singular values: V_r [rank, d],
 * strongest first. The caller disposes it.
 */
export function outputDirections(outputs: Tensor2D, rank: number): Tensor2D {
  const d = outputs.shape[1];
  const gram = hostValues(() => tf.matMul(outputs, outputs, true));
  return tf.tensor2d(Float32Array.from(leadingEigenvectors(gram, d, rank).vectors), [rank, d]);
}

/**
 * Adds W_r applied to the masked activations, W_r = W V_rᵀ V_r. Of a layer, `outputs` makes W_down [neurons, d] anew, and `directions`
 * are outputDirections of this rank or a larger one, which stay the caller's.
 */
export function lowRankCorrection(
  outputs: (layer: number) => Tensor2D,
  directions: readonly Tensor2D[],
  rank: number,
): OutputCorrection {
  return (mlpOut, masked, layer) =>
    tf.tidy(() => {
      const leading = directions[layer].slice([0, 0], [rank, -1]);
      const whole = tf.matMul(masked as Tensor2D, outputs(layer));
      return mlpOut.add(tf.matMul(tf.matMul(whole, leading, false, true), leading));
    });
}
