/**
 * Matryoshka over BatchTopK (Bussmann, Nabeshima, Karvonen & Nanda, 2503.17547, §3; METHODS.md §1): latents are chosen as in
 * BatchTopK, and prefixes of the dictionary reconstruct on their own.
 */
import type { DictionaryTensors } from '../ops/fusedKernels.ts';
import type { Tensor2D } from '../tensor/tf.ts';
import type { Architecture } from './architecture.ts';
import { afterBatch, batchTopK, keepLargestOfBatch } from './batchTopK.ts';
import { encoderOf, nestedLoss, nestedPass, type NestedLoss, type NestedSettings } from './nested.ts';
import { rectifiedPreActivations, unitRows } from './topK.ts';

/** The definition, for autodiff. With `target`, that of a transcoder. */
export function matryoshkaLoss(
  p: DictionaryTensors,
  x: Tensor2D,
  { k, ...settings }: NestedSettings & { k: number },
  target?: Tensor2D,
): NestedLoss {
  const rectified = rectifiedPreActivations(p, x, target !== undefined);
  const activations = keepLargestOfBatch(rectified, k);
  return nestedLoss(p, { x, target }, { rectified, activations }, settings);
}

export const matryoshka: Architecture<'matryoshka'> = {
  unitNormDecoder: true,
  inputScale: (d, norms) => batchTopK.inputScale(d, norms),
  initialise: (_config, _sample, median, rows) => unitRows(median, rows),
  thresholds: (parameters, state) => batchTopK.thresholds(parameters, state),

  forward(kernels, parameters, batch, config, { dead, state }) {
    const { k, auxCoefficient: coefficient, prefixes } = config;
    const encoder = encoderOf(parameters, batch);
    const selection = { count: k * batch.x.shape[0], near: state.least };
    const { entries, least } = kernels.batchTopKEncode(batch.x, encoder, selection);
    const after = (found: number, before = state) => afterBatch(before, found, config.thresholdMomentum);
    const chosen = { encoder, entries, kept: { least, state: after } };
    return nestedPass(kernels, parameters, batch, chosen, { coefficient, dead, prefixes });
  },
};
