/**
 * Runs a custom language-model op in TF.js: a backend that has a kernel of its name runs that, with the
 * gradient registered beside the op; any other backend runs the reference composition of plain tfjs ops,
 * which TF.js differentiates itself.
 */
import { tf, type Tensor, type Tf } from '../tensor/tf.ts';

export type KernelName =
  | 'RmsNorm'
  | 'RmsNormGrad'
  | 'LayerNorm'
  | 'LayerNormGrad'
  | 'SoftmaxCrossEntropy'
  | 'SoftmaxCrossEntropyGrad'
  | 'CausalAttention'
  | 'CausalAttentionGrad'
  | 'CausalAttentionWithEntropy'
  | 'RotaryEmbedding'
  | 'Activation'
  | 'ActivationGrad'
  | 'FiringCounts'
  | 'SignalSums'
  | 'TruncationLosses'
  | 'MaskedActivations'
  | 'AdamWStep'
  | 'SumOfSquares'
  | 'QuotientOrZero';

export function hasKernel(name: KernelName): boolean {
  return tf.getKernel(name, tf.getBackend()) !== undefined;
}

/** Runs a kernel that has one output. */
export function runKernel<T extends Tensor>(
  name: KernelName,
  inputs: Tf.NamedTensorMap,
  attributes: Tf.NamedAttrMap = {},
): T {
  return tf.engine().runKernel(name, inputs, attributes) as T;
}

/** Runs a kernel that has several outputs, or none. */
export function runKernels(
  name: KernelName,
  inputs: Tf.NamedTensorMap,
  attributes: Tf.NamedAttrMap = {},
): Tensor[] {
  return tf.engine().runKernel(name, inputs, attributes) as Tensor[];
}

/**
 * Registers the gradient of a kernel whose backward pass yields the gradients of all inputs at once. It runs
 * as soon as TF.js asks, not when it asks for each input, because TF.js disposes whatever one input's
 * gradient creates beside its result.
 */
export function registerFusedGradient(
  kernelName: KernelName,
  save: { inputs: string[]; outputs?: boolean[] },
  gradient: (dy: Tensor, saved: Tensor[], attributes: Tf.NamedAttrMap) => Record<string, Tensor>,
): void {
  tf.registerGradient({
    kernelName,
    inputsToSave: save.inputs,
    outputsToSave: save.outputs,
    gradFunc: (dy, saved, attributes) => {
      const gradients = gradient(Array.isArray(dy) ? dy[0] : dy, saved, attributes);
      return Object.fromEntries(Object.entries(gradients).map(([name, value]) => [name, () => value]));
    },
  });
}
