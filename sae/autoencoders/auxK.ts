/**
 * AuxK (Gao et al., 2406.04093, appendix A.2; METHODS.md §1), the auxiliary loss of TopK and of what descends from it: the
 * k_aux strongest *dead* latents of each row explain what the others left over.
 */
import { type Computed, derived, disposeComputed } from '../ops/computed.ts';
import { hasKernel, runKernel } from '../ops/fusedKernel.ts';
import type { AuxiliaryChoice, Encoder, FusedKernels, LossTerm, RowGradients } from '../ops/fusedKernels.ts'; // prettier-ignore
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
  /** What it adds to a request; nothing where nothing is dead. */
  readonly request: { readonly auxiliary: LossTerm | null; readonly auxiliaryRows?: RowGradients };
  /** What `loss` needs. */
  readonly parts: readonly [squaredError: Computed, variance: Computed];
  /** α·AuxK of the parts' values, in a step with these dead latents. */
  loss(squaredError: number, variance: number, dead: Int32Array): number;
  dispose(): void;
}

/** What AuxK chooses from, for outputs of d numbers and the weight α; null where it has nothing to do. */
export function auxiliaryAmong(d: number, dead: Int32Array, coefficient: number): AuxiliaryChoice | null {
  const { k, weight } = auxiliaryChoice(d, dead.length);
  if (k === 0 || !(coefficient > 0)) return null;
  return { dead, most: Math.floor(d / 2), numerator: 2 * coefficient * weight };
}

/** `error` [batch, d] is x̂ − x of the main reconstruction, `coefficient` α. */
export function auxiliaryPass(
  kernels: FusedKernels,
  x: Tensor2D,
  dictionary: { readonly encoder: Encoder; readonly wDec: Tensor2D },
  { error, dead, coefficient }: { error: Tensor2D; dead: Int32Array; coefficient: number },
): AuxiliaryPass {
  const outputs = error.shape[1];
  const choice = auxiliaryAmong(outputs, dead, coefficient);
  const loss = (squaredError: number, total: number, now: Int32Array) =>
    total > 0 ? (coefficient * auxiliaryChoice(outputs, now.length).weight * squaredError) / total : 0;
  if (choice && kernels.auxiliary) {
    const { term, squaredError, variance, dispose } = kernels.auxiliary(x, dictionary, error, choice);
    const request = 'places' in term ? { auxiliary: null, auxiliaryRows: term } : { auxiliary: term };
    return { request, parts: [squaredError, variance], loss, dispose };
  }
  const variance = choice ? kernels.varianceAboutMean(error) : 0;
  if (!choice || variance === 0)
    return { request: { auxiliary: null }, parts: [0, 0], loss: () => 0, dispose: () => {} };
  const k = Math.min(choice.most, dead.length);
  const entries = kernels.topKEncode(x, dictionary.encoder, k, dead);
  const left = tf.neg(error);
  const explained = kernels.reconstruct(entries, null, { wDec: dictionary.wDec, bias: null }, left);
  left.dispose();
  const scale = over(choice.numerator, variance);
  return {
    request: { auxiliary: { entries, error: explained.error, dots: explained.dots, scale } },
    parts: [explained.squaredError, variance],
    loss,
    dispose() {
      disposeEntries(entries);
      tf.dispose([explained.error, explained.dots]);
      disposeComputed(scale, explained.squaredError, variance);
    },
  };
}
