import { tf, type Tensor, type Tensor1D } from '../tensor/tf.ts';
import { hasKernel, registerFusedGradient, runKernel, runKernels } from './fusedKernel.ts';

/**
 * x / sqrt(mean(x²) + ε) · gain over the last axis (Zhang & Sennrich, 1910.07467).
 *
 * @param x [..., d]
 * @param gain [d]
 */
export function rmsNorm(x: Tensor, gain: Tensor1D, epsilon: number): Tensor {
  if (hasKernel('RmsNorm')) return runKernel('RmsNorm', { x, gain }, { epsilon });
  return referenceRmsNorm(x, gain, epsilon);
}

export function referenceRmsNorm(x: Tensor, gain: Tensor1D, epsilon: number): Tensor {
  return tf.tidy(() => x.mul(tf.rsqrt(tf.mean(tf.square(x), -1, true).add(epsilon))).mul(gain));
}

registerFusedGradient('RmsNorm', { inputs: ['x', 'gain'] }, (dy, [x, gain], { epsilon }) => {
  const [dx, dGain] = runKernels('RmsNormGrad', { x, gain, dy }, { epsilon });
  return { x: dx, gain: dGain };
});
