/**
 * Matryoshka over TopK: the nested prefixes of 2503.17547, §3, with the latents of each row chosen as by TopK (Gao et al.,
 * 2406.04093, §2.3; METHODS.md §1). Every row has k latents, at inference as in training, and no threshold is learnt.
 */
import type { DictionaryTensors } from '../ops/fusedKernels.ts';
import type { Tensor2D } from '../tensor/tf.ts';
import type { Architecture } from './architecture.ts';
import { keepLargest } from './keepLargest.ts';
import { encoderOf, nestedLoss, nestedPass, type NestedLoss, type NestedSettings } from './nested.ts';
import { rectifiedPreActivations, topK, unitRows } from './topK.ts';

/** The definition, for autodiff. With `target`, that of a transcoder. */
export function matryoshkaTopKLoss(
  p: DictionaryTensors,
  x: Tensor2D,
  { k, ...settings }: NestedSettings & { k: number },
  target?: Tensor2D,
): NestedLoss {
  const rectified = rectifiedPreActivations(p, x, target !== undefined);
  const activations = keepLargest(rectified, rectified, k);
  return nestedLoss(p, { x, target }, { rectified, activations }, settings);
}

export const matryoshkaTopK: Architecture<'matryoshkatopk'> = {
  thresholds: null,
  unitNormDecoder: true,
  inputScale: (d, norms) => topK.inputScale(d, norms),
  initialise: (_config, _sample, median, rows) => unitRows(median, rows),

  forward(kernels, parameters, batch, { k, auxCoefficient: coefficient, prefixes }, { dead }) {
    const encoder = encoderOf(parameters, batch);
    const entries = kernels.topKEncode(batch.x, encoder, k);
    const settings = { coefficient, dead, prefixes };
    return nestedPass(kernels, parameters, batch, { encoder, entries }, settings);
  },
};
