/** Arguments that the kernels of updates have in common. */
import type { AdamSettings } from '../../../ops/fusedKernels.ts';
import type { Argument } from '../programs.ts';

/** A loss term that there isn't. */
export const noList: readonly Argument[] = [null, null, null, null];
/** Gradients of rows that there aren't. */
export const noPlaces: readonly Argument[] = [null, null, null];
/** What updateRows doesn't read when it takes no Adam step: clip, unit norm, settings, count and limits, copy. After these come blocks and d. */
export const idle: readonly Argument[] = [null, 0, 0, 0, 0, 0, 0, 0, 1, null, null, 0, 0, null, null, null];

/** The settings of an Adam step as kernels take them; see source/adam.cuh. */
export function settings(adam: AdamSettings): number[] {
  const { beta1, beta2, epsilon } = adam;
  const [rate, root] = ofStep(adam);
  return [rate, beta1, 1 - beta1, beta2, 1 - beta2, root, epsilon];
}

/** What of the settings changes from step to step: the bias corrections, and the learning rate. */
export function ofStep({
  learningRate,
  beta1,
  beta2,
  step,
}: AdamSettings): readonly [rate: number, root: number] {
  return [learningRate / (1 - beta1 ** step), 1 / Math.sqrt(1 - beta2 ** step)];
}
