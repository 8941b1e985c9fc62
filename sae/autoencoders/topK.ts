/**
 * TopK autoencoder (Gao et al., 2406.04093; METHODS.md §1): `f = TopK_k(ReLU((x − b_dec)·W_encᵀ + b_enc))`,
 * `L = Σ‖x − x̂‖² / Σ‖x − x̄‖² + α·AuxK`. AuxK lets the k_aux strongest *dead* latents explain what the others left
 * over, and its gradient reaches the encoder as well as the decoder.
 */
import { disposeComputed } from '../ops/computed.ts';
import type { DictionaryTensors } from '../ops/fusedKernels.ts';
import { disposeEntries } from '../ops/sparseEntries.ts';
import { tf, type Scalar, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import type { Architecture } from './architecture.ts';
import { auxiliaryPass, auxKLoss, over, sumAboutMean } from './auxK.ts';
import type { DictionaryArrays } from './dictionary.ts';
import { keepLargest } from './keepLargest.ts';
import { measure } from './measure.ts';
import { predicted } from './predicted.ts';

export interface TopKLoss {
  loss: Scalar;
  fvu: Scalar;
  auxK: Scalar;
  activations: Tensor2D; // f [batch, latents]
  reconstruction: Tensor2D; // x̂ [batch, d]
}

/** ReLU((x − b_dec)·W_encᵀ + b_enc) [batch, latents]; of a transcoder without b_dec. */
export function rectifiedPreActivations(p: DictionaryTensors, x: Tensor2D, isTranscoder = false): Tensor2D {
  const read = isTranscoder ? x : x.sub<Tensor2D>(p.bDec);
  return tf.relu(tf.matMul(read, p.wEnc, false, true).add<Tensor2D>(p.bEnc));
}

/** The definition, for autodiff. With `target`, that of a transcoder. */
export function topKLoss(
  p: DictionaryTensors,
  x: Tensor2D,
  { k, alpha, dead }: { k: number; alpha: number; dead: readonly number[] },
  target?: Tensor2D,
): TopKLoss {
  const rectified = rectifiedPreActivations(p, x, target !== undefined);
  const activations = keepLargest(rectified, rectified, k);
  return lossOfChoice(p, { x, target }, { rectified, activations }, { alpha, dead });
}

/** The loss once latents are chosen: `activations` are `rectified` [batch, latents] at those that are, 0 elsewhere. */
export function lossOfChoice(
  p: DictionaryTensors,
  { x, target = x }: { x: Tensor2D; target?: Tensor2D | undefined },
  { rectified, activations }: { rectified: Tensor2D; activations: Tensor2D },
  { alpha, dead }: { alpha: number; dead: readonly number[] },
): TopKLoss {
  const reconstruction = predicted(p, activations, x);
  const fvu = target.sub(reconstruction).square().sum().div<Scalar>(sumAboutMean(target));
  const auxK = auxKLoss(rectified, p.wDec, target.sub<Tensor2D>(reconstruction), dead);
  return { loss: fvu.add(auxK.mul(alpha)), fvu, auxK, activations, reconstruction };
}

/** Random unit rows, W_enc = W_dec, b_enc = 0, b_dec the geometric median (2406.04093, §2.1 and A.1). */
export function unitRows(median: Float32Array, rows: (norm: number) => Float32Array): DictionaryArrays {
  const wDec = rows(1);
  return {
    wEnc: wDec.slice(),
    bEnc: new Float32Array(wDec.length / median.length),
    wDec,
    bDec: median.slice(),
    logThreshold: null,
  };
}

export const topK: Architecture<'topk'> = {
  thresholds: null,
  unitNormDecoder: true,

  /** Rows of norm √d on average. */
  inputScale: (d, { meanNorm }) => Math.sqrt(d) / meanNorm,

  initialise: (_config, _sample, median, rows) => unitRows(median, rows),

  forward(kernels, parameters, batch, { k, auxCoefficient: coefficient }, settings) {
    const { x, target, blocks, variance } = batch;
    const wDec = parameters.wDec as Tensor2D;
    const bDec = parameters.bDec as Tensor1D;
    const encoder = {
      wEnc: parameters.wEnc as Tensor2D,
      bEnc: parameters.bEnc as Tensor1D,
      centre: target ? null : bDec,
    };
    const entries = kernels.topKEncode(x, encoder, k);
    const firings = kernels.firings(entries, null);
    const { error, dots, squaredError } = kernels.reconstruct(
      entries,
      null,
      { wDec, bias: bDec },
      target ?? x,
    );
    const auxiliary = auxiliaryPass(
      kernels,
      x,
      { encoder, wDec },
      { error, dead: settings.dead, coefficient },
    );
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
      measure: (withLoss, { dead } = settings) =>
        measure(
          kernels,
          batch,
          { entries, firings, squaredError },
          withLoss
            ? {
                parts: auxiliary.parts,
                loss: ({ fvu }, [auxError, left]) => fvu + auxiliary.loss(auxError[0], left[0], dead),
              }
            : null,
        ),
      dispose() {
        disposeEntries(entries);
        tf.dispose([error, dots]);
        disposeComputed(squaredError, firings.counts, firings.sums, scale);
        auxiliary.dispose();
      },
    };
  },
};
