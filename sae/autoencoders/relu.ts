/**
 * ReLU autoencoder with an L1 penalty weighted by decoder norms (Towards Monosemanticity, 2023; the April 2024
 * update of the Anthropic circuits thread; METHODS.md §1): `f = ReLU((x − b_dec)·W_encᵀ + b_enc)`,
 * `L = mean_b[‖x − x̂‖² + λ Σ_i f_i ‖W_dec,i‖]`. No norm constraint.
 */
import type { DictionaryTensors } from '../ops/fusedKernels.ts';
import { disposeComputed } from '../ops/computed.ts';
import { rowSizes } from '../ops/rowSizes.ts';
import { disposeEntries } from '../ops/sparseEntries.ts';
import { tf, type Scalar, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import type { Architecture, StepSettings } from './architecture.ts';
import { afterStep, steeredCoefficient } from './l0Controller.ts';
import { measure, type Measured } from './measure.ts';
import { predicted } from './predicted.ts';
import { total } from './total.ts';

export interface ReluLoss {
  loss: Scalar;
  mse: Scalar;
  sparsity: Scalar;
  activations: Tensor2D; // f [batch, latents]
  reconstruction: Tensor2D; // x̂ [batch, d]
}

/**
 * The definition, for autodiff. With `target`, that of a transcoder, whose encoder reads x without b_dec. With `blocks` and x as target, that of a
 * crosscoder, whose penalty weighs an activation by the sum of its decoder blocks' norms (Lindsey et al., 2024).
 */
export function reluLoss(
  p: DictionaryTensors,
  x: Tensor2D,
  sparsityCoefficient: number,
  target?: Tensor2D,
  blocks?: Int32Array,
): ReluLoss {
  const read = target ? x : x.sub<Tensor2D>(p.bDec);
  const activations = tf.relu(tf.matMul(read, p.wEnc, false, true).add<Tensor2D>(p.bEnc));
  const reconstruction = predicted(p, activations, x);
  const mse = (target ?? x).sub(reconstruction).square().sum(1).mean<Scalar>();
  const norms = rowSizes(p.wDec, blocks);
  const sparsity = activations.mul(norms).sum(1).mean<Scalar>().mul<Scalar>(sparsityCoefficient);
  return { loss: mse.add(sparsity), mse, sparsity, activations, reconstruction };
}

export const relu: Architecture<'relu'> = {
  thresholds: null,
  unitNormDecoder: false,

  /** Rows of norm √d on average. */
  inputScale: (d, { meanNorm }) => Math.sqrt(d) / meanNorm,

  /**
   * Decoder rows of norm 0.1 in random directions, W_enc = W_dec, b_enc = 0 (April 2024 update). *Choice*: b_dec is
   * the geometric median as for TopK, so that a short run needn't spend its tokens on finding the centre.
   */
  initialise({ width }, _sample, median, rows) {
    const wDec = rows(0.1);
    return {
      wEnc: wDec.slice(),
      bEnc: new Float32Array(width),
      wDec,
      bDec: median.slice(),
      logThreshold: null,
    };
  },

  forward(kernels, parameters, batch, { targetL0, sparsityCoefficient: settled }, settings) {
    const { expected } = settings;
    const coefficientOf = (step: StepSettings) =>
      targetL0 === null
        ? step.sparsityCoefficient
        : steeredCoefficient(step.sparsityCoefficient, targetL0, step.state);
    const steered = (measured: Measured, step: StepSettings): Measured =>
      targetL0 === null
        ? measured
        : {
            ...measured,
            sparsityCoefficient: coefficientOf(step),
            state: afterStep(
              step.state,
              total(measured.firings) / rows,
              targetL0,
              step.sparsityCoefficient === settled,
            ),
          };
    const { x, target, blocks } = batch;
    const [rows] = x.shape;
    const wDec = parameters.wDec as Tensor2D;
    const bDec = parameters.bDec as Tensor1D;
    const encoder = {
      wEnc: parameters.wEnc as Tensor2D,
      bEnc: parameters.bEnc as Tensor1D,
      centre: target ? null : bDec,
    };
    const entries = kernels.thresholdEncode(x, encoder, { threshold: null, bandwidth: 0, expected });
    const firings = kernels.firings(entries, null);
    const { error, dots, squaredError } = kernels.reconstruct(
      entries,
      null,
      { wDec, bias: bDec },
      target ?? x,
    );
    return {
      request: {
        parameters,
        x,
        subtractsDecoderBias: !target,
        main: { entries, error, dots, scale: 2 / rows },
        auxiliary: null,
        l1: coefficientOf(settings) / rows,
        jump: null,
        blocks,
      },
      squaredError,
      penalty: (step) => coefficientOf(step) / rows,
      async measure(withLoss, step = settings) {
        if (!withLoss)
          return steered(await measure(kernels, batch, { entries, firings, squaredError }, null), step);
        const norms = tf.tidy(() => {
          const own = rowSizes(wDec, blocks);
          return kernels.ofAllLatents?.(own) ?? own;
        });
        try {
          const measured = await measure(
            kernels,
            batch,
            { entries, firings, squaredError },
            {
              parts: [firings.sums, norms],
              loss: ({ mse }, [sums, sizes]) => mse + (coefficientOf(step) / rows) * total(sums, sizes),
            },
          );
          return steered(measured, step);
        } finally {
          norms.dispose();
        }
      },
      dispose() {
        disposeEntries(entries);
        disposeComputed(squaredError, firings.counts, firings.sums);
        tf.dispose([error, dots]);
      },
    };
  },
};
