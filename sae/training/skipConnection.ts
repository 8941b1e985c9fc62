/**
 * The skip connection of a transcoder (Paulo, Shabalin & Belrose, 2501.18823): `ŷ = f·W_dec + W_skip·x + b_dec`. The fused kernels train
 * the rest on `y − W_skip·x`, whose error is the same, and W_skip takes its step here.
 */
import { adamWStep } from '../ops/adamW.ts';
import type { AdamSettings, Batch, DictionaryVariables, FusedKernels, GradientRequest } from '../ops/fusedKernels.ts'; // prettier-ignore
import { sumOfSquares } from '../ops/sumOfSquares.ts';
import { tf, type Tensor2D, type Variable } from '../tensor/tf.ts';

/** The batch with `y − W_skip·x` in place of y [batch, outputs], which the caller disposes. Its variance stays that of y. */
export function withoutSkip({ x, target, variance }: Batch, wSkip: Variable): Batch {
  const left = tf.tidy(() => (target ?? x).sub<Tensor2D>(tf.matMul(x, wSkip as Tensor2D, false, true)));
  return { x, target: left, variance };
}

/** `∂L/∂W_skip = scale · errorᵀ·x` [outputs, d], of nested reconstructions the sum over all, which is their first block. */
export function skipGradient({ x, main }: GradientRequest): Tensor2D {
  const { error, scale } = main;
  const [rows] = x.shape;
  return tf.tidy(() => {
    const all = error.slice<Tensor2D>([0, 0], [rows, error.shape[1]]);
    return tf.matMul(all, x, true, false).mul<Tensor2D>(scale);
  });
}

/** Adam's step of W_skip. *Choice*: where gradients are clipped, its norm is clipped apart from that of the other parameters. */
export function updateSkip(
  kernels: FusedKernels,
  request: GradientRequest,
  moments: { first: DictionaryVariables; second: DictionaryVariables },
  adam: AdamSettings,
): void {
  const gradient = skipGradient(request);
  if (kernels.updateSkip) kernels.updateSkip(request, gradient, moments, adam);
  else stepOnHost(request, gradient, moments, adam);
  gradient.dispose();
}

/** The step where results are at hand. */
export function stepOnHost(
  { parameters: { wSkip } }: GradientRequest,
  gradient: Tensor2D,
  { first, second }: { first: DictionaryVariables; second: DictionaryVariables },
  { clipNorm, step, learningRate, beta1, beta2, epsilon }: AdamSettings,
): void {
  if (!wSkip || !first.wSkip || !second.wSkip) throw new TypeError('There is no skip connection to update.');
  const norm = clipNorm === null ? 0 : Math.sqrt(sumOfSquares(gradient.dataSync<'float32'>()));
  adamWStep(
    [wSkip],
    [gradient],
    { m: [first.wSkip], v: [second.wSkip] },
    {
      learningRate,
      beta1,
      beta2,
      epsilon,
      weightDecay: 0,
      step,
      gradientScale: clipNorm === null || norm <= clipNorm ? 1 : clipNorm / norm,
    },
  );
}
