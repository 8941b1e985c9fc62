/**
 * AuxK (Gao et al., 2406.04093, appendix A.2; METHODS.md §1), the auxiliary loss of TopK and of what descends from it: the
 * k_aux strongest *dead* latents of each row explain what the others left over.
 */
import { type Computed, derived, disposeComputed } from '../ops/computed.ts';
import { hasKernel, runKernel } from '../ops/fusedKernel.ts';
import type { Encoder, FusedKernels, LossTerm } from '../ops/fusedKernels.ts';
import { disposeEntries } from '../ops/sparseEntries.ts';
import { tf, type Scalar, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import { keepLargest, withoutGradient } from './keepLargest.ts';

/** How many dead latents AuxK picks a row, and its weight min(n_dead / ⌊d/2⌋, 1) before α. */
export function auxiliaryChoice(d: number, dead: number): { k: number; weight: number } {
  const half = Math.floor(d / 2);
  return half === 0 ? { k: 0, weight: 0 } : { k: Math.min(half, dead), weight: Math.min(dead / half, 1) };
}

/** The definition, for autodiff: `rectified` is ReLU(z) [batch, latents], `left` what the main reconstruction leaves over [batch, d]. */
export function auxKLoss(
  rectified: Tensor2D,
  wDec: Tensor2D,
  left: Tensor2D,
  dead: readonly number[],
): Scalar {
  const [latents, d] = wDec.shape;
  const choice = auxiliaryChoice(d, dead.length);
  if (choice.k === 0) return tf.scalar(0);
  const isDead = new Float32Array(latents);
  for (const latent of dead) isDead[latent] = 1;
  // ReLU(z) + 1 over the dead latents and 0 elsewhere ranks the dead ones as ReLU(z) does, above all others.
  const rank = rectified.add<Tensor2D>(1).mul<Tensor2D>(tf.tensor1d(isDead) as Tensor1D);
  const among = keepLargest(rectified, rank, choice.k);
  const constant = withoutGradient(left, (e) => e.clone());
  const explained = tf.matMul(among, wDec);
  return constant.sub(explained).square().sum().div(sumAboutMean(constant)).mul<Scalar>(choice.weight);
}

/** Σ_b‖x − x̄‖² of rows [batch, d]. */
export function sumAboutMean(rows: Tensor2D): Scalar {
  return rows.sub(rows.mean(0)).square().sum<Scalar>();
}

/** 0 over 0: e = x − x̂ has no variance when the reconstruction is perfect; then there is nothing left to explain. */
export function over(numerator: number, variance: Computed): Computed {
  return derived(
    variance,
    (total) => (total === 0 ? 0 : numerator / total),
    (total) =>
      hasKernel('QuotientOrZero')
        ? runKernel<Scalar>('QuotientOrZero', { denominator: total }, { numerator })
        : tf.divNoNan(tf.scalar(numerator), total),
  );
}

/** AuxK on the fused kernels. */
export interface AuxiliaryPass {
  /** Null where nothing is dead. */
  readonly term: LossTerm | null;
  /** What `loss` needs. */
  readonly parts: readonly [squaredError: Computed, variance: Computed];
  /** α·AuxK of the parts' values. */
  loss(squaredError: number, variance: number): number;
  dispose(): void;
}

/** `error` [batch, d] is x̂ − x of the main reconstruction, `coefficient` α. */
export function auxiliaryPass(
  kernels: FusedKernels,
  x: Tensor2D,
  dictionary: { readonly encoder: Encoder; readonly wDec: Tensor2D },
  { error, dead, coefficient }: { error: Tensor2D; dead: Int32Array; coefficient: number },
): AuxiliaryPass {
  const choice = auxiliaryChoice(error.shape[1], dead.length);
  const variance = choice.k > 0 && coefficient > 0 ? kernels.varianceAboutMean(error) : 0;
  if (variance === 0) return { term: null, parts: [0, 0], loss: () => 0, dispose: () => {} };
  const entries = kernels.topKEncode(x, dictionary.encoder, choice.k, dead);
  const left = tf.neg(error);
  const explained = kernels.reconstruct(entries, null, { wDec: dictionary.wDec, bias: null }, left);
  left.dispose();
  const scale = over(2 * coefficient * choice.weight, variance);
  return {
    term: { entries, error: explained.error, dots: explained.dots, scale },
    parts: [explained.squaredError, variance],
    loss: (squaredError, total) => (total > 0 ? (coefficient * choice.weight * squaredError) / total : 0),
    dispose() {
      disposeEntries(entries);
      tf.dispose([explained.error, explained.dots]);
      disposeComputed(scale, explained.squaredError, variance);
    },
  };
}
