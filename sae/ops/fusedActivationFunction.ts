import { tf, type Tensor } from '../tensor/tf.ts';
import { hasKernel, registerFusedGradient, runKernel } from './fusedKernel.ts';

/** Activation functions that a backend may have a kernel for, in the order of the kernels' numbers. */
export const fusedActivationFunctionNames = ['relu', 'gelu', 'gelu_new', 'silu'] as const;
export type FusedActivationFunctionName = (typeof fusedActivationFunctionNames)[number];

/** act(x), x float32 of any shape. Where the backend has a kernel it takes one pass over memory forward and one backward. */
export function fusedActivationFunction(name: FusedActivationFunctionName, x: Tensor): Tensor {
  if (hasKernel('Activation')) return runKernel('Activation', { x }, { name });
  return referenceActivationFunction(name, x);
}

export function referenceActivationFunction(name: FusedActivationFunctionName, x: Tensor): Tensor {
  return tf.tidy(() => references[name](x));
}

const references: Record<FusedActivationFunctionName, (x: Tensor) => Tensor> = {
  relu: (x) => tf.relu(x),
  /** x · Φ(x), Φ the normal distribution function (Hendrycks & Gimpel, 1606.08415). */
  gelu: (x) => x.mul(x.mul(Math.SQRT1_2).erf().mul(0.5).add(0.5)),
  /** The approximation by tanh, from the same paper, that GPT-2 was trained with. */
  gelu_new: (x) => {
    const inner = x.mul(x.mul(x).mul(0.044715).add(1)).mul(Math.sqrt(2 / Math.PI));
    return x.mul(inner.tanh().mul(0.5).add(0.5));
  },
  /** x · σ(x) (Elfwing et al., 1702.03118). */
  silu: (x) => x.mul(x.sigmoid()),
};

registerFusedGradient('Activation', { inputs: ['x'] }, (dy, [x], { name }) => ({
  x: runKernel('ActivationGrad', { x, dy }, { name }),
}));
