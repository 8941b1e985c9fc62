import { tf, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import { hasKernel, registerFusedGradient, runKernel } from './fusedKernel.ts';

/**
 * −log softmax(logits)[label] for each row, in nats.
 *
 * @param logits [rows, vocabulary]
 * @param labels [rows] int32, each in [0, vocabulary)
 * @returns [rows]
 */
export function softmaxCrossEntropy(logits: Tensor2D, labels: Tensor1D): Tensor1D {
  if (hasKernel('SoftmaxCrossEntropy')) return runKernel('SoftmaxCrossEntropy', { logits, labels });
  return referenceSoftmaxCrossEntropy(logits, labels);
}

export function referenceSoftmaxCrossEntropy(logits: Tensor2D, labels: Tensor1D): Tensor1D {
  return tf.tidy(() => {
    const chosen = tf.sum(tf.mul(logits, tf.oneHot(tf.cast(labels, 'int32'), logits.shape[1])), -1);
    return tf.logSumExp(logits, -1).sub<Tensor1D>(chosen);
  });
}

// The gradient is (softmax(logits) − onehot(label)) times the row's dy; the kernel does not make the one-hot matrix.
registerFusedGradient('SoftmaxCrossEntropy', { inputs: ['logits', 'labels'] }, (dy, [logits, labels]) => ({
  logits: runKernel('SoftmaxCrossEntropyGrad', { logits, labels, dy }),
}));
