import { tf, type Tensor } from '../tensor/tf.ts';
import { hasKernel, runKernel } from './fusedKernel.ts';

export interface SignalSums {
  /** Σ over vectors of (mean over their components)². */
  meanSquared: number;
  /** Σ over vectors of the variance of their components, with divisor d. */
  variance: number;
}

/** Sums over the vectors along the last axis of x [… , d], in double precision. */
export function signalSums(x: Tensor): SignalSums {
  if (!hasKernel('SignalSums')) return referenceSignalSums(x);
  const sums = runKernel('SignalSums', { x });
  const [meanSquared, variance] = sums.dataSync<'float32'>();
  tf.dispose(sums);
  return { meanSquared, variance };
}

export function referenceSignalSums(x: Tensor): SignalSums {
  const d = x.shape[x.shape.length - 1];
  const values = x.dataSync<'float32'>();
  const sums = { meanSquared: 0, variance: 0 };
  for (let row = 0; row < values.length; row += d) {
    let mean = 0;
    for (let k = 0; k < d; k++) mean += values[row + k] / d;
    let variance = 0;
    for (let k = 0; k < d; k++) variance += (values[row + k] - mean) ** 2 / d;
    sums.meanSquared += mean * mean;
    sums.variance += variance;
  }
  return sums;
}
