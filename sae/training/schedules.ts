/**
 * Learning rate and sparsity coefficient over a run (METHODS.md §1). Steps count from 0; the first step already
 * moves, and the last one has a small rate and not 0.
 */
import {
  describedArchitecture,
  settingOf,
  type TrainingConfig,
} from '../spec/architectures/architectures.ts';

export function totalSteps({ tokens, batchSize }: Pick<TrainingConfig, 'tokens' | 'batchSize'>): number {
  return Math.ceil(tokens / batchSize);
}

/** Linear or cosine warm-up, as the architecture has it, then constant, then linear to 0 over the last `decayFraction` of the steps. */
export function learningRateAt(config: TrainingConfig, step: number): number {
  const steps = totalSteps(config);
  const risen = config.warmupSteps > 0 ? Math.min(1, (step + 1) / config.warmupSteps) : 1;
  const { warmup } = describedArchitecture(config.architecture);
  const warm = warmup === 'cosine' ? (1 - Math.cos(Math.PI * risen)) / 2 : risen;
  const decaySteps = config.decayFraction * steps;
  const left = decaySteps > 0 ? Math.min(1, (steps - step) / decaySteps) : 1;
  return config.learningRate * warm * left;
}

/** λ: linear from 0 over the first `sparsityWarmupFraction` of the steps; 0 for architectures without a penalty. */
export function sparsityCoefficientAt(config: TrainingConfig, step: number): number {
  const { sparsityPenalty } = describedArchitecture(config.architecture);
  if (!sparsityPenalty) return 0;
  const coefficient = settingOf(config, sparsityPenalty.coefficient) ?? 0;
  const warmSteps = (settingOf(config, sparsityPenalty.warmupFraction) ?? 0) * totalSteps(config);
  return coefficient * (warmSteps > 0 ? Math.min(1, (step + 1) / warmSteps) : 1);
}
