/**
 * Matryoshka over BatchTopK (Bussmann, Nabeshima, Karvonen & Nanda, 2503.17547, §3; METHODS.md §1). Latents are chosen as in
 * BatchTopK; the first ones of several prefixes of the dictionary each reconstruct on their own, and the loss adds up:
 * `L = Σ_p Σ_b‖x − x̂_p‖² / Σ_b‖x − x̄‖² + α·AuxK`, x̂_p from the latents below prefix p alone.
 */
import { disposeComputed } from '../ops/computed.ts';
import type { DictionaryTensors } from '../ops/fusedKernels.ts';
import { disposeEntries } from '../ops/sparseEntries.ts';
import { tf, type Scalar, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import type { Architecture } from './architecture.ts';
import { auxiliaryPass, auxKLoss, over, sumAboutMean } from './auxK.ts';
import { afterBatch, batchTopK, keepLargestOfBatch } from './batchTopK.ts';
import { measure } from './measure.ts';
import { rectifiedPreActivations, unitRows } from './topK.ts';

export interface MatryoshkaLoss {
  loss: Scalar;
  nested: Scalar;
  auxK: Scalar;
  activations: Tensor2D; // f [batch, latents]
  reconstruction: Tensor2D; // x̂ of all latents [batch, d]
}

/** The definition, for autodiff. */
export function matryoshkaLoss(
  p: DictionaryTensors,
  x: Tensor2D,
  {
    k,
    alpha,
    dead,
    prefixes,
  }: { k: number; alpha: number; dead: readonly number[]; prefixes: readonly number[] },
): MatryoshkaLoss {
  const [rows, d] = x.shape;
  const rectified = rectifiedPreActivations(p, x);
  const activations = keepLargestOfBatch(rectified, k);
  const reconstructions = prefixes.map((size) =>
    tf
      .matMul<Tensor2D>(activations.slice([0, 0], [rows, size]), p.wDec.slice([0, 0], [size, d]))
      .add<Tensor2D>(p.bDec),
  );
  const errors = reconstructions.map((each) => x.sub(each).square().sum<Scalar>());
  const nested = tf.addN(errors).div<Scalar>(sumAboutMean(x));
  const reconstruction = reconstructions[prefixes.length - 1];
  const auxK = auxKLoss(rectified, p.wDec, x.sub<Tensor2D>(reconstruction), dead);
  return { loss: nested.add(auxK.mul(alpha)), nested, auxK, activations, reconstruction };
}

export const matryoshka: Architecture<'matryoshka'> = {
  unitNormDecoder: true,
  inputScale: (d, norms) => batchTopK.inputScale(d, norms),
  initialise: (_config, _sample, median, rows) => unitRows(median, rows),
  thresholds: (parameters, state) => batchTopK.thresholds(parameters, state),

  forward(kernels, parameters, batch, config, { dead, state }) {
    const { k, auxCoefficient: coefficient, thresholdMomentum } = config;
    const { x, variance } = batch;
    const [rows, d] = x.shape;
    const wDec = parameters.wDec as Tensor2D;
    const bDec = parameters.bDec as Tensor1D;
    const encoder = { wEnc: parameters.wEnc as Tensor2D, bEnc: parameters.bEnc as Tensor1D, centre: bDec };
    const prefixes = Int32Array.from(config.prefixes);
    const { entries, least } = kernels.batchTopKEncode(x, encoder, { count: k * rows, near: state.least });
    const firings = kernels.firings(entries, null);
    const nested = kernels.reconstructNested(entries, prefixes, { wDec, bias: bDec }, x);
    const { errors, dots, nestedError, squaredError } = nested;
    const error = errors.slice<Tensor2D>([(prefixes.length - 1) * rows, 0], [rows, d]);
    const auxiliary = auxiliaryPass(kernels, x, { encoder, wDec }, { error, dead, coefficient });
    error.dispose();
    const scale = over(2, variance);
    return {
      request: {
        parameters,
        x,
        subtractsDecoderBias: true,
        main: { entries, error: errors, dots, scale, prefixes },
        auxiliary: auxiliary.term,
        l1: 0,
        jump: null,
      },
      squaredError,
      measure: (withLoss) =>
        measure(
          kernels,
          batch,
          { entries, firings, squaredError },
          {
            parts: [least, nestedError, variance, ...(withLoss ? auxiliary.parts : [])],
            loss: ({ mse }, [, total, about, auxError, left]) =>
              withLoss ? total[0] / about[0] + auxiliary.loss(auxError[0], left[0]) : mse,
            state: ([found]) => afterBatch(state, found[0], thresholdMomentum),
          },
        ),
      dispose() {
        disposeEntries(entries);
        tf.dispose([errors, dots]);
        disposeComputed(least, nestedError, squaredError, firings.counts, firings.sums, scale);
        auxiliary.dispose();
      },
    };
  },
};
