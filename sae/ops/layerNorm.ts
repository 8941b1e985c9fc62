import { tf, type Tensor, type Tensor1D } from '../tensor/tf.ts';
import { hasKernel, registerFusedGradient, runKernel, runKernels } from './fusedKernel.ts';

/**
 * (x − mean) / sqrt(variance + ε) · gain + bias over the last axis (Ba et al., 1607.06450); the variance is
 * the biased one.
 *
 * @param x [..., d]
 * @param gain [d]
 * @param bias [d]
 */
export function layerNorm(x: Tensor, gain: Tensor1D, bias: Tensor1D, epsilon: number): Tensor {
  if (hasKernel('LayerNorm')) return runKernel('LayerNorm', { x, gain, bias }, { epsilon });
  return referenceLayerNorm(x, gain, bias, epsilon);
}

export function referenceLayerNorm(x: Tensor, gain: Tensor1D, bias: Tensor1D, epsilon: number): Tensor {
  return tf.tidy(() => {
    const centred = x.sub(tf.mean(x, -1, true));
    const variance = tf.mean(tf.square(centred), -1, true);
    return centred
      .mul(tf.rsqrt(variance.add(epsilon)))
      .mul(gain)
      .add(bias);
  });
}

registerFusedGradient('LayerNorm', { inputs: ['x', 'gain'] }, (dy, [x, gain], { epsilon }) => {
  const [dx, dGain, dBias] = runKernels('LayerNormGrad', { x, gain, dy }, { epsilon });
  return { x: dx, gain: dGain, bias: dBias };
});
