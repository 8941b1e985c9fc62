/**
 * JumpReLU autoencoder (Rajamanoharan et al., 2407.14435; METHODS.md §1): `z = x·W_encᵀ + b_enc`, `θ = exp(log θ)`,
 * `f = z·H(z − θ)`, `L = mean_b[‖x − x̂‖² + λ Σ_i H(z_i − θ_i)]`, or λ(L0/L0* − 1)² with a target L0*. The steps have
 * no useful derivative; θ learns through straight-through estimators with the rectangle kernel of width ε.
 */
import { type Computed, type ComputedVector, disposeComputed } from '../ops/computed.ts';
import type { DictionaryTensors } from '../ops/fusedKernels.ts';
import { disposeEntries } from '../ops/sparseEntries.ts';
import { tf, type Scalar, type Tensor, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import type { Architecture } from './architecture.ts';
import { measure } from './measure.ts';
import { predicted } from './predicted.ts';
import { total } from './total.ts';

/** K((z − θ)/ε): 1 within half a bandwidth of the threshold. */
function kernel(z: Tensor, threshold: Tensor, bandwidth: number): Tensor2D {
  return tf.less(tf.abs(z.sub(threshold)), bandwidth / 2).cast('float32');
}

/** z·H(z − θ); ∂/∂z = H(z − θ), ∂/∂θ = −(θ/ε)·K((z − θ)/ε). */
export function jump(z: Tensor2D, threshold: Tensor1D, bandwidth: number): Tensor2D {
  return tf.customGrad((zIn, thetaIn, save) => {
    const [z, theta] = [zIn as Tensor2D, thetaIn as Tensor1D];
    const on = tf.greater(z, theta).cast('float32');
    (save as (tensors: Tensor[]) => void)([z, theta, on]);
    return {
      value: z.mul(on),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [z, theta, on] = saved;
        const gradTheta = dy
          .mul(kernel(z, theta, bandwidth))
          .sum(0)
          .mul(theta.div(-bandwidth));
        return [dy.mul(on), gradTheta];
      },
    };
  })(z, threshold) as Tensor2D;
}

/** H(z − θ); ∂/∂z = 0, ∂/∂θ = −(1/ε)·K((z − θ)/ε). */
export function step(z: Tensor2D, threshold: Tensor1D, bandwidth: number): Tensor2D {
  return tf.customGrad((zIn, thetaIn, save) => {
    const [z, theta] = [zIn as Tensor2D, thetaIn as Tensor1D];
    (save as (tensors: Tensor[]) => void)([z, theta]);
    return {
      value: tf.greater(z, theta).cast('float32'),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [z, theta] = saved;
        return [
          tf.zerosLike(z),
          dy
            .mul(kernel(z, theta, bandwidth))
            .sum(0)
            .div(-bandwidth),
        ];
      },
    };
  })(z, threshold) as Tensor2D;
}

export interface JumpReluLoss {
  loss: Scalar;
  mse: Scalar;
  l0: Scalar;
  activations: Tensor2D; // f [batch, latents]
  reconstruction: Tensor2D; // x̂ [batch, d]
}

export interface JumpReluSettings {
  sparsityCoefficient: number;
  bandwidth: number;
  targetL0: number | null;
}

/** The definition, for autodiff. `p.logThreshold` must not be null. With `target`, that of a transcoder. */
export function jumpReluLoss(
  p: DictionaryTensors,
  x: Tensor2D,
  settings: JumpReluSettings,
  target = x,
): JumpReluLoss {
  const { sparsityCoefficient, bandwidth, targetL0 } = settings;
  if (!p.logThreshold) throw new TypeError('A JumpReLU dictionary needs logThreshold.');
  const threshold = p.logThreshold.exp<Tensor1D>();
  const z = tf.matMul(x, p.wEnc, false, true).add<Tensor2D>(p.bEnc);
  const activations = jump(z, threshold, bandwidth);
  const l0 = step(z, threshold, bandwidth).sum(1).mean<Scalar>();
  const reconstruction = predicted(p, activations, x);
  const mse = target.sub(reconstruction).square().sum(1).mean<Scalar>();
  const penalty = targetL0 === null ? l0 : l0.div(targetL0).sub(1).square();
  return { loss: mse.add(penalty.mul(sparsityCoefficient)), mse, l0, activations, reconstruction };
}

/** The derivative of the penalty by each H(z − θ): λ/batch times that of L0, or of (L0/L0* − 1)². */
function penaltyGradient(
  counts: ComputedVector<Int32Array>,
  rows: number,
  sparsityCoefficient: number,
  targetL0: number | null,
): Computed {
  if (targetL0 === null) return sparsityCoefficient / rows;
  if (counts instanceof Int32Array) {
    const slope = (2 * (total(counts) / rows / targetL0 - 1)) / targetL0;
    return (sparsityCoefficient * slope) / rows;
  }
  const factor = (2 * sparsityCoefficient) / targetL0 / rows;
  return tf.tidy(() =>
    tf
      .sum(counts)
      .div(rows * targetL0)
      .sub(1)
      .mul<Scalar>(factor),
  );
}

export const jumpRelu: Architecture<'jumprelu'> = {
  unitNormDecoder: true,

  /** Unit mean squared norm. */
  inputScale: (_d, { meanSquaredNorm }) => 1 / Math.sqrt(meanSquaredNorm),

  /**
   * Random unit rows, W_enc = W_dec, θ = θ₀. *Choice*: b_dec is the geometric median and b_enc = −W_enc·b_dec, which
   * is where an encoder with a pre-encoder bias would start; from 0 a short run spends its tokens finding the centre.
   */
  initialise({ width, initialThreshold }, _sample, median, rows) {
    const d = median.length;
    const wDec = rows(1);
    const bEnc = new Float32Array(width);
    for (let i = 0; i < width; i++) bEnc[i] = -total(median, wDec.subarray(i * d, (i + 1) * d));
    return {
      wEnc: wDec.slice(),
      bEnc,
      wDec,
      bDec: median.slice(),
      logThreshold: new Float32Array(width).fill(Math.log(initialThreshold)),
    };
  },

  thresholds({ logThreshold }) {
    if (!logThreshold) throw new TypeError('A JumpReLU dictionary needs logThreshold.');
    return logThreshold.map(Math.exp);
  },

  forward(kernels, parameters, batch, { bandwidth, targetL0 }, settings) {
    const { sparsityCoefficient, expected } = settings;
    const { x, target = x, blocks } = batch;
    const { wEnc, bEnc, wDec, bDec, logThreshold } = parameters;
    if (!logThreshold) throw new TypeError('A JumpReLU dictionary needs logThreshold.');
    const [rows] = x.shape;
    const threshold = tf.exp(logThreshold as Tensor1D);
    const encoder = { wEnc: wEnc as Tensor2D, bEnc: bEnc as Tensor1D, centre: null };
    const entries = kernels.thresholdEncode(x, encoder, { threshold, bandwidth, expected });
    const firings = kernels.firings(entries, threshold);
    const decoder = { wDec: wDec as Tensor2D, bias: bDec as Tensor1D };
    const { error, dots, squaredError } = kernels.reconstruct(entries, threshold, decoder, target);
    const penalty = (l0: number) => (targetL0 === null ? l0 : (l0 / targetL0 - 1) ** 2);
    const l0Gradient = penaltyGradient(firings.counts, rows, sparsityCoefficient, targetL0);
    return {
      request: {
        parameters,
        x,
        subtractsDecoderBias: false,
        main: { entries, error, dots, scale: 2 / rows },
        auxiliary: null,
        l1: 0,
        jump: { threshold, bandwidth, l0Gradient },
        blocks,
      },
      squaredError,
      ...(targetL0 === null && { penalty: (step) => step.sparsityCoefficient / rows }),
      measure: (withLoss, step = settings) =>
        measure(
          kernels,
          batch,
          { entries, firings, squaredError },
          withLoss
            ? {
                parts: [],
                loss: ({ mse, firings: counts }) =>
                  mse + step.sparsityCoefficient * penalty(total(counts) / rows),
              }
            : null,
        ),
      dispose() {
        disposeEntries(entries);
        disposeComputed(squaredError, firings.counts, firings.sums, l0Gradient);
        tf.dispose([error, dots, threshold]);
      },
    };
  },
};
