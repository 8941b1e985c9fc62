/**
 * TopK autoencoder (Gao et al., 2406.04093; METHODS.md §1): `f = TopK_k(ReLU((x − b_dec)·W_encᵀ + b_enc))`,
 * `L = Σ‖x − x̂‖² / Σ‖x − x̄‖² + α·AuxK`. AuxK lets the k_aux strongest *dead* latents explain what the others left
 * over, and its gradient reaches the encoder as well as the decoder.
 */
import { type Computed, derived, disposeComputed } from '../ops/computed.ts';
import type { DictionaryTensors, LossTerm } from '../ops/fusedKernels.ts';
import { disposeEntries, type SparseEntries } from '../ops/sparseEntries.ts';
import { tf, type Scalar, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import type { Architecture } from './architecture.ts';
import { measure } from './measure.ts';
import { randomRows } from './randomRows.ts';

/** How many dead latents AuxK picks a row, and its weight min(n_dead / ⌊d/2⌋, 1) before α. */
export function auxiliaryChoice(d: number, dead: number): { k: number; weight: number } {
  const half = Math.floor(d / 2);
  return half === 0 ? { k: 0, weight: 0 } : { k: Math.min(half, dead), weight: Math.min(dead / half, 1) };
}

export interface TopKLoss {
  loss: Scalar;
  fvu: Scalar;
  auxK: Scalar;
  activations: Tensor2D; // f [batch, latents]
  reconstruction: Tensor2D; // x̂ [batch, d]
}

/** The definition, for autodiff. */
export function topKLoss(
  p: DictionaryTensors,
  x: Tensor2D,
  { k, alpha, dead }: { k: number; alpha: number; dead: readonly number[] },
): TopKLoss {
  const [latents, d] = p.wEnc.shape;
  const rectified = tf.relu(tf.matMul(x.sub<Tensor2D>(p.bDec), p.wEnc, false, true).add<Tensor2D>(p.bEnc));
  const activations = keepLargest(rectified, rectified, k);
  const reconstruction = tf.matMul(activations, p.wDec).add<Tensor2D>(p.bDec);
  const variance = (rows: Tensor2D) => rows.sub(rows.mean(0)).square().sum<Scalar>();
  const fvu = x.sub(reconstruction).square().sum().div<Scalar>(variance(x));
  const choice = auxiliaryChoice(d, dead.length);
  let auxK = tf.scalar(0);
  if (choice.k > 0) {
    const isDead = new Float32Array(latents);
    for (const latent of dead) isDead[latent] = 1;
    // ReLU(z) + 1 over the dead latents and 0 elsewhere ranks the dead ones as ReLU(z) does, above all others.
    const among = keepLargest(
      rectified,
      rectified.add<Tensor2D>(1).mul<Tensor2D>(tf.tensor1d(isDead)),
      choice.k,
    );
    const left = withoutGradient(x.sub<Tensor2D>(reconstruction), (e) => e.clone());
    const explained = tf.matMul(among, p.wDec);
    auxK = left.sub(explained).square().sum().div(variance(left)).mul<Scalar>(choice.weight);
  }
  return { loss: fvu.add(auxK.mul(alpha)), fvu, auxK, activations, reconstruction };
}

/** `values` where `rank` is among the k largest of its row, 0 elsewhere; the choice carries no gradient. */
function keepLargest(values: Tensor2D, rank: Tensor2D, k: number): Tensor2D {
  const mask = withoutGradient(rank, (r) =>
    tf.oneHot(tf.topk(r, k).indices, r.shape[1], 1, 0, 'float32').sum(1),
  );
  return values.mul(mask);
}

function withoutGradient(x: Tensor2D, f: (x: Tensor2D) => Tensor2D): Tensor2D {
  return tf.customGrad((value) => ({
    value: f(value as Tensor2D),
    gradFunc: () => tf.zerosLike(x),
  }))(x) as Tensor2D;
}

/** 0 over 0: e = x − x̂ has no variance when the reconstruction is perfect; then there is nothing left to explain. */
function over(numerator: number, variance: Computed): Computed {
  return derived(
    variance,
    (total) => (total === 0 ? 0 : numerator / total),
    (total) => tf.divNoNan(tf.scalar(numerator), total),
  );
}

export const topK: Architecture<'topk'> = {
  thresholds: null,
  unitNormDecoder: true,

  /** Rows of norm √d on average. */
  inputScale: (d, { meanNorm }) => Math.sqrt(d) / meanNorm,

  /** Random unit rows, W_enc = W_dec, b_enc = 0, b_dec the geometric median (2406.04093, §2.1 and A.1). */
  initialise({ width }, _sample, median, random) {
    const wDec = randomRows(random, width, median.length);
    return {
      wEnc: wDec.slice(),
      bEnc: new Float32Array(width),
      wDec,
      bDec: median.slice(),
      logThreshold: null,
    };
  },

  forward(kernels, parameters, batch, { k, auxCoefficient }, { dead }) {
    const { x, variance } = batch;
    const [, d] = x.shape;
    const wDec = parameters.wDec as Tensor2D;
    const bDec = parameters.bDec as Tensor1D;
    const encoder = { wEnc: parameters.wEnc as Tensor2D, bEnc: parameters.bEnc as Tensor1D, centre: bDec };
    const entries = kernels.topKEncode(x, encoder, k);
    const firings = kernels.firings(entries, null);
    const { error, dots, squaredError } = kernels.reconstruct(entries, null, { wDec, bias: bDec }, x);

    const choice = auxiliaryChoice(d, dead.length);
    let auxiliary: LossTerm | null = null;
    let auxSquaredError: Computed = 0;
    const leftVariance = choice.k > 0 && auxCoefficient > 0 ? kernels.varianceAboutMean(error) : 0;
    if (leftVariance !== 0) {
      const auxEntries: SparseEntries = kernels.topKEncode(x, encoder, choice.k, dead);
      const left = tf.neg(error);
      const explained = kernels.reconstruct(auxEntries, null, { wDec, bias: null }, left);
      left.dispose();
      auxSquaredError = explained.squaredError;
      const scale = over(2 * auxCoefficient * choice.weight, leftVariance);
      auxiliary = { entries: auxEntries, error: explained.error, dots: explained.dots, scale };
    }
    const mainScale = over(2, variance);
    return {
      request: {
        parameters,
        x,
        subtractsDecoderBias: true,
        main: { entries, error, dots, scale: mainScale },
        auxiliary,
        l1: 0,
        jump: null,
      },
      squaredError,
      measure: (withLoss) =>
        measure(
          kernels,
          batch,
          { entries, firings, squaredError },
          withLoss
            ? {
                parts: [auxSquaredError, leftVariance],
                loss: ({ fvu }, [auxError, left]) =>
                  fvu + (left[0] > 0 ? (auxCoefficient * choice.weight * auxError[0]) / left[0] : 0),
              }
            : null,
        ),
      dispose() {
        disposeEntries(entries);
        tf.dispose([error, dots]);
        disposeComputed(squaredError, firings.counts, firings.sums, mainScale, auxSquaredError, leftVariance);
        if (!auxiliary) return;
        disposeEntries(auxiliary.entries);
        tf.dispose([auxiliary.error, auxiliary.dots]);
        disposeComputed(auxiliary.scale);
      },
    };
  },
};
