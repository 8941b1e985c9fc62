/**
 * R-Sparse (2504.19449): y ≈ W(x ⊙ 1_S) + W_r(x ⊙ (1 − 1_S)), W_r the rank-r truncation of W_down by its singular values; what is masked is not
 * lost but goes through r directions.
 */
import { hostValues } from '../../tensor/hostValues.ts';
import { tf, type Tensor2D } from '../../tensor/tf.ts';
import type { OutputCorrection } from './intervention.ts';
import { symmetricEigen } from '../../numerics/symmetricEigen.ts';

/** The right singular vectors of W_down, neuron-major [neurons, d]: rows of [d, d], strongest first. */
export function outputDirections(outputs: Tensor2D): Float32Array {
  const d = outputs.shape[1];
  const gram = hostValues(() => tf.matMul(outputs, outputs, true));
  return Float32Array.from(symmetricEigen(gram, d).vectors);
}

/** Adds W_r applied to the masked activations; by layer, W_down [neurons, d] and outputDirections of it. The tensors stay the caller's. */
export function lowRankCorrection(
  outputs: readonly Tensor2D[],
  directions: readonly Float32Array[],
  rank: number,
): OutputCorrection {
  return (mlpOut, masked, layer) =>
    tf.tidy(() => {
      const d = outputs[layer].shape[1];
      // Rows of V_r; W_r = W V_rᵀ V_r.
      const leading = tf.tensor2d(directions[layer].subarray(0, rank * d), [rank, d]);
      const whole = tf.matMul(masked as Tensor2D, outputs[layer]);
      return mlpOut.add(tf.matMul(tf.matMul(whole, leading, false, true), leading));
    });
}
