import { hostValues } from '../tensor/hostValues.ts';
import { tf, type Tensor, type Variable } from '../tensor/tf.ts';
import { hasKernel, runKernel, runKernels } from './fusedKernel.ts';

/** Adam's first and second moments, one of each for every parameter, in the order of the parameters. */
export interface AdamWState {
  m: Variable[];
  v: Variable[];
}

export interface AdamWOptions {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** One weight decay for all parameters, or one for each (0 for gains and biases). */
  weightDecay: number | readonly number[];
  /** Number of the step about to be taken, from 1, for the bias correction of the moments. */
  step: number;
  /** Each gradient is multiplied by this first, for clipping; 1 by default. */
  gradientScale?: number;
}

/** Moments of 0. They are not trainable, so that tf.variableGrads ignores them. Dispose with disposeAdamWState. */
export function createAdamWState(parameters: readonly Variable[]): AdamWState {
  const zeros = () => parameters.map((p) => tf.tidy(() => tf.variable(tf.zerosLike(p), false)));
  return { m: zeros(), v: zeros() };
}

export function disposeAdamWState(state: AdamWState): void {
  tf.dispose([...state.m, ...state.v]);
}

/**
 * One step of AdamW (Loshchilov & Hutter, 1711.05101, algorithm 2 with the learning rate as the schedule), in
 * place: p ← p − lr·(m̂ / (sqrt(v̂) + ε) + decay·p).
 *
 * On backends with a kernel the storage of parameters and moments is overwritten, so a tensor that shares it
 * (a clone, a reshape) sees the new values. gradients[i] belongs to parameters[i]; the caller disposes them.
 */
export function adamWStep(
  parameters: readonly Variable[],
  gradients: readonly Tensor[],
  state: AdamWState,
  options: AdamWOptions,
): void {
  const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale = 1 } = options;
  const fused = hasKernel('AdamWStep');
  parameters.forEach((parameter, i) => {
    const decay = typeof weightDecay === 'number' ? weightDecay : weightDecay[i];
    const gradient = gradients[i];
    const m = state.m[i];
    const v = state.v[i];
    const correction1 = 1 - beta1 ** step;
    const correction2 = 1 - beta2 ** step;
    if (fused) {
      const attributes = {
        learningRate,
        beta1,
        beta2,
        epsilon,
        decay,
        correction1,
        correction2,
        gradientScale,
      };
      runKernels('AdamWStep', { parameter, gradient, m, v }, attributes);
      return;
    }
    tf.tidy(() => {
      const g = gradient.mul(gradientScale);
      m.assign(m.mul(beta1).add(g.mul(1 - beta1)));
      v.assign(v.mul(beta2).add(tf.square(g).mul(1 - beta2)));
      const update = m.div(correction1).div(tf.sqrt(v.div(correction2)).add(epsilon));
      parameter.assign(parameter.sub(update.add(parameter.mul(decay)).mul(learningRate)));
    });
  });
}

/** The Euclidean norm of all gradients together, which clipping compares with its limit. */
export function globalNorm(gradients: readonly Tensor[]): number {
  if (gradients.length === 0) return 0;
  const fused = hasKernel('SumOfSquares');
  // Read together, because a device is waited for at every read.
  const sums = hostValues(() =>
    tf.stack(gradients.map((x) => (fused ? runKernel('SumOfSquares', { x }) : tf.sum(tf.square(x))))),
  );
  const total = sums.reduce((sum, squares) => sum + squares, 0);
  return Math.sqrt(total);
}
