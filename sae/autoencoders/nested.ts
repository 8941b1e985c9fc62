/**
 * What Matryoshka dictionaries have in common, however their latents are chosen (Bussmann, Nabeshima, Karvonen & Nanda,
 * 2503.17547, §3; METHODS.md §1): the chosen latents of several prefixes of the dictionary each reconstruct on their own,
 * and the losses add up, `L = Σ_p Σ_b‖x − x̂_p‖² / Σ_b‖x − x̄‖² + α·AuxK`, x̂_p from the latents below prefix p alone.
 */
import { type Computed, disposeComputed } from '../ops/computed.ts';
import type {
  Batch,
  DictionaryTensors,
  DictionaryVariables,
  Encoder,
  FusedKernels,
} from '../ops/fusedKernels.ts';
import { disposeEntries, type SparseEntries } from '../ops/sparseEntries.ts';
import type { TrainingState } from '../spec/architectures/architecture.ts';
import { tf, type Scalar, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import type { ForwardPass } from './architecture.ts';
import { auxiliaryPass, auxKLoss, over, sumAboutMean } from './auxK.ts';
import { measure } from './measure.ts';
import { predicted } from './predicted.ts';

export interface NestedLoss {
  loss: Scalar;
  nested: Scalar;
  auxK: Scalar;
  activations: Tensor2D; // f [batch, latents]
  reconstruction: Tensor2D; // x̂ of all latents [batch, d]
}

export interface NestedSettings {
  alpha: number;
  dead: readonly number[];
  prefixes: readonly number[];
}

/**
 * The definition once latents are chosen, for autodiff: `activations` are `rectified` [batch, latents] at those that are, 0
 * elsewhere.
 */
export function nestedLoss(
  p: DictionaryTensors,
  { x, target = x }: { x: Tensor2D; target?: Tensor2D | undefined },
  { rectified, activations }: { rectified: Tensor2D; activations: Tensor2D },
  { alpha, dead, prefixes }: NestedSettings,
): NestedLoss {
  const [rows, outputs] = target.shape;
  const reconstructions = prefixes.map((size) => {
    const prefix = { ...p, wDec: p.wDec.slice<Tensor2D>([0, 0], [size, outputs]) };
    return predicted(prefix, activations.slice([0, 0], [rows, size]), x);
  });
  const errors = reconstructions.map((each) => target.sub(each).square().sum<Scalar>());
  const nested = tf.addN(errors).div<Scalar>(sumAboutMean(target));
  const reconstruction = reconstructions[prefixes.length - 1];
  const auxK = auxKLoss(rectified, p.wDec, target.sub<Tensor2D>(reconstruction), dead);
  return { loss: nested.add(auxK.mul(alpha)), nested, auxK, activations, reconstruction };
}

/** The latents that an encoder chose. */
export interface ChosenLatents {
  readonly encoder: Encoder;
  readonly entries: SparseEntries;
  /** What of the choice is left for the next step, where that is anything; both parts are disposed of with the pass. */
  readonly kept?: {
    readonly least: Computed;
    readonly state: (least: number, before?: TrainingState) => TrainingState;
  };
}

/** The encoder of a dictionary that reads x − b_dec, or of a transcoder, which reads x. */
export function encoderOf(parameters: DictionaryVariables, { target }: Batch): Encoder {
  return {
    wEnc: parameters.wEnc as Tensor2D,
    bEnc: parameters.bEnc as Tensor1D,
    centre: target ? null : (parameters.bDec as Tensor1D),
  };
}

/** The pass on the fused kernels once latents are chosen. */
export function nestedPass(
  kernels: FusedKernels,
  parameters: DictionaryVariables,
  batch: Batch,
  { encoder, entries, kept }: ChosenLatents,
  {
    coefficient,
    dead,
    prefixes: ends,
  }: { coefficient: number; dead: Int32Array; prefixes: readonly number[] },
): ForwardPass {
  const { x, target = x, variance } = batch;
  const [rows, d] = target.shape;
  const wDec = parameters.wDec as Tensor2D;
  const prefixes = Int32Array.from(ends);
  const firings = kernels.firings(entries, null);
  const decoder = { wDec, bias: parameters.bDec as Tensor1D };
  const nested = kernels.reconstructNested(entries, prefixes, decoder, target);
  const { errors, dots, nestedError, squaredError } = nested;
  const error = errors.slice<Tensor2D>([(prefixes.length - 1) * rows, 0], [rows, d]);
  const auxiliary = auxiliaryPass(kernels, x, { encoder, wDec }, { error, dead, coefficient });
  error.dispose();
  const scale = over(2, variance);
  return {
    request: {
      parameters,
      x,
      subtractsDecoderBias: batch.target === undefined,
      main: { entries, error: errors, dots, scale, prefixes },
      ...auxiliary.request,
      l1: 0,
      jump: null,
    },
    squaredError,
    measure: (withLoss, step) =>
      measure(
        kernels,
        batch,
        { entries, firings, squaredError },
        {
          parts: [nestedError, variance, kept?.least ?? 0, ...(withLoss ? auxiliary.parts : [])],
          loss: ({ mse }, [total, about, , auxError, left]) =>
            withLoss ? total[0] / about[0] + auxiliary.loss(auxError[0], left[0], step?.dead ?? dead) : mse,
          ...(kept && { state: ([, , least]) => kept.state(least[0], step?.state) }),
        },
      ),
    dispose() {
      disposeEntries(entries);
      tf.dispose([errors, dots]);
      disposeComputed(nestedError, squaredError, firings.counts, firings.sums, scale);
      if (kept) disposeComputed(kept.least);
      auxiliary.dispose();
    },
  };
}
