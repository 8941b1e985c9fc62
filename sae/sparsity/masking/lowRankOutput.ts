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

/** W_down in two factors, the second of which is orthonormal: W V_rᵀ [neurons, rank] and V_r [rank, d]. */
export interface LowRankOutput {
  coordinates: Tensor2D;
  directions: Tensor2D;
}

/** W_down [neurons, d] in factors of this rank. The caller disposes them. */
export function lowRankOutput(outputs: Tensor2D, rank: number): LowRankOutput {
  const directions = outputDirections(outputs, rank);
  return { coordinates: tf.matMul(outputs, directions, false, true), directions };
}

/** Adds W_r applied to the masked activations. `layers` are factors of this rank or a larger one, which stay the caller's. */
export function lowRankCorrection(layers: readonly LowRankOutput[], rank: number): OutputCorrection {
  return (mlpOut, masked, layer) =>
    tf.tidy(() => {
      const { coordinates, directions } = layers[layer];
      const through = tf.matMul(masked as Tensor2D, coordinates.slice([0, 0], [-1, rank]));
      return mlpOut.add(tf.matMul(through, directions.slice([0, 0], [rank, -1])));
    });
}
