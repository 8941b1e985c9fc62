/**
 * BatchTopK autoencoder (Bussmann, Leask & Nanda, 2412.06410, §3; METHODS.md §1): of ReLU((x − b_dec)·W_encᵀ + b_enc) over a
 * whole batch the k·rows largest are kept, so that a row has k of them on average; the loss is TopK's. At inference a
 * latent fires above one threshold θ, the running mean of the least activation that batches kept.
 */
import { disposeComputed } from '../ops/computed.ts';
import type { DictionaryTensors } from '../ops/fusedKernels.ts';
import { disposeEntries } from '../ops/sparseEntries.ts';
import type { TrainingState } from '../spec/architectures/architecture.ts';
import { tf, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import type { Architecture } from './architecture.ts';
import { auxiliaryPass, over } from './auxK.ts';
import { keepLargest } from './keepLargest.ts';
import { measure } from './measure.ts';
import { lossOfChoice, rectifiedPreActivations, topK, type TopKLoss, unitRows } from './topK.ts';

/** The definition, for autodiff. With `target`, that of a transcoder. */
export function batchTopKLoss(
  p: DictionaryTensors,
  x: Tensor2D,
  { k, alpha, dead }: { k: number; alpha: number; dead: readonly number[] },
  target?: Tensor2D,
): TopKLoss {
  const rectified = rectifiedPreActivations(p, x, target !== undefined);
  const activations = keepLargestOfBatch(rectified, k);
  return lossOfChoice(p, { x, target }, { rectified, activations }, { alpha, dead });
}

/** The k·rows largest of values [rows, latents], 0 elsewhere; the choice carries no gradient. */
export function keepLargestOfBatch(values: Tensor2D, k: number): Tensor2D {
  const [rows, latents] = values.shape;
  const flat = values.reshape<Tensor2D>([1, rows * latents]);
  return keepLargest(flat, flat, k * rows).reshape<Tensor2D>([rows, latents]);
}

/** The state after a step whose least kept activation was `least`; a step that kept none leaves the threshold alone. */
export function afterBatch(
  { threshold }: TrainingState,
  least: number,
  thresholdMomentum: number,
): TrainingState {
  if (!(least > 0)) return { threshold, least: 0 };
  const moved = threshold < 0 ? least : thresholdMomentum * threshold + (1 - thresholdMomentum) * least;
  return { threshold: moved, least };
}

export const batchTopK: Architecture<'batchtopk'> = {
  unitNormDecoder: true,
  inputScale: (d, norms) => topK.inputScale(d, norms),
  initialise: (_config, _sample, median, rows) => unitRows(median, rows),

  /** One θ for all latents. */
  thresholds: ({ bEnc }, { threshold }) => new Float32Array(bEnc.length).fill(threshold),

  forward(kernels, parameters, batch, { k, auxCoefficient: coefficient, thresholdMomentum }, settings) {
    const { x, target, blocks, variance } = batch;
    const { dead, state } = settings;
    const wDec = parameters.wDec as Tensor2D;
    const bDec = parameters.bDec as Tensor1D;
    const encoder = {
      wEnc: parameters.wEnc as Tensor2D,
      bEnc: parameters.bEnc as Tensor1D,
      centre: target ? null : bDec,
    };
    const { entries, least } = kernels.batchTopKEncode(x, encoder, {
      count: k * x.shape[0],
      near: state.least,
    });
    const firings = kernels.firings(entries, null);
    const { error, dots, squaredError } = kernels.reconstruct(
      entries,
      null,
      { wDec, bias: bDec },
      target ?? x,
    );
    const auxiliary = auxiliaryPass(kernels, x, { encoder, wDec }, { error, dead, coefficient });
    const scale = over(2, variance);
    return {
      request: {
        parameters,
        x,
        subtractsDecoderBias: !target,
        main: { entries, error, dots, scale },
        ...auxiliary.request,
        l1: 0,
        jump: null,
        blocks,
      },
      squaredError,
      measure: (withLoss, step = settings) =>
        measure(
          kernels,
          batch,
          { entries, firings, squaredError },
          {
            parts: [least, ...(withLoss ? auxiliary.parts : [])],
            loss: ({ mse, fvu }, [, auxError, left]) =>
              withLoss ? fvu + auxiliary.loss(auxError[0], left[0], step.dead) : mse,
            state: ([found]) => afterBatch(step.state, found[0], thresholdMomentum),
          },
        ),
      dispose() {
        disposeEntries(entries);
        tf.dispose([error, dots]);
        disposeComputed(least, squaredError, firings.counts, firings.sums, scale);
        auxiliary.dispose();
      },
    };
  },
};
