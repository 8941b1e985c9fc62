/**
 * What a dictionary costs the language model: its loss with a hook point replaced by the reconstruction, by zero and
 * by the mean activation, against its loss as it is (METHODS.md §2).
 *
 * Positions before the capture's first position keep their own activation in every variant, since the dictionary
 * never saw such positions; predictions made there are left out of the means. Rows that are left
 * out of training keep their own activation too, but predictions made there count: the losses are of all tokens.
 */
import { finiteOrNull } from '../numerics/finiteOrNull.ts';
import type { LossIntervals } from '../spec/manifests/evaluation.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';
import { bootstrap, intervalLevel } from './bootstrap.ts';
import { contextLosses, type ContextLossOptions } from './contextLosses.ts';

export interface SpliceLoss {
  /** Mean cross-entropy in nats per predicted token: unchanged, with the reconstruction, with zeros and with the mean in place. */
  crossEntropy: { clean: number; sae: number; zero: number; mean: number };
  /** (CE_zero − CE_sae) / (CE_zero − CE_clean): 1 for the identity, 0 for zero ablation, null where that costs nothing. */
  ceRecovered: number | null;
  /** (CE_mean − CE_sae) / (CE_mean − CE_clean): the same against mean ablation. */
  ceRecoveredMean: number | null;
  /** Mean over predicted tokens of KL(clean ‖ sae) between the distributions of the next token, in nats. */
  klDivergence: number;
  /** How far each of these may be off for the choice of contexts; absent for a single context. */
  lossIntervals?: LossIntervals;
}

export interface SpliceOptions extends Omit<ContextLossOptions<never>, 'substitutes' | 'diverging'> {
  /** x [rows, width] → x̂ [rows, width]; with `input`, from the activations there. */
  reconstruct: (x: Tensor2D, input: Tensor2D) => Tensor2D;
  /** [width]: the mean activation, which mean ablation puts in place of every vector. */
  mean: Float32Array;
}

type Means = Record<'clean' | 'sae' | 'zero' | 'mean' | 'divergence', number>;

/** Throws 'cancelled' when the signal is aborted. */
export async function spliceLoss(options: SpliceOptions): Promise<SpliceLoss> {
  const { crossEntropy, divergence } = await contextLosses({
    ...options,
    substitutes: {
      sae: options.reconstruct,
      zero: (x) => tf.zerosLike(x),
      mean: (x) => tf.zerosLike(x).add<Tensor2D>(tf.tensor1d(options.mean)),
    },
    diverging: ['sae'],
  });
  const columns = { ...crossEntropy, divergence: divergence.sae! };
  const means = Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [
      name,
      values.reduce((sum, value) => sum + value, 0) / values.length,
    ]),
  ) as Means;
  const { clean, sae, zero, mean } = means;
  const recovered = recoveredOf(means);
  return {
    crossEntropy: { clean, sae, zero, mean },
    ceRecovered: finiteOrNull(recovered.ceRecovered),
    ceRecoveredMean: finiteOrNull(recovered.ceRecoveredMean),
    klDivergence: means.divergence,
    ...(columns.clean.length > 1 && { lossIntervals: intervalsOf(columns) }),
  };
}

function recoveredOf({ clean, sae, zero, mean }: Means) {
  return {
    ceRecovered: (zero - sae) / (zero - clean),
    ceRecoveredMean: (mean - sae) / (mean - clean),
  };
}

function intervalsOf(columns: Record<keyof Means, Float64Array>): LossIntervals {
  const { ceRecovered, ceRecoveredMean, divergence, clean, sae, zero, mean } = bootstrap(
    columns,
    (means) => ({
      ...means,
      ...recoveredOf(means),
    }),
  );
  return {
    level: intervalLevel,
    contexts: columns.clean.length,
    crossEntropy: { clean, sae, zero, mean },
    ceRecovered,
    ceRecoveredMean,
    klDivergence: divergence,
  };
}
