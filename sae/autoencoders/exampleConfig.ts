/** A small valid configuration of each architecture, for tests and benchmarks that vary one thing. */
import type { Architecture, TrainingConfig } from '../store/manifests.ts';

const common = {
  capture: 'example',
  hook: 'blocks.0.hook_resid_post',
  width: 64,
  seeds: [0],
  batchSize: 64,
  tokens: 6400,
  learningRate: 1e-3,
  warmupSteps: 0,
  decayFraction: 0.2,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  clipNorm: null,
  deadAfter: 1_000_000,
  checkpointEvery: 1000,
  logEvery: 10,
};

const examples: { [A in Architecture]: Extract<TrainingConfig, { architecture: A }> } = {
  relu: { architecture: 'relu', ...common, sparsityCoefficient: 1, sparsityWarmupFraction: 0 },
  topk: { architecture: 'topk', ...common, k: 8, auxCoefficient: 1 / 32 },
  jumprelu: {
    architecture: 'jumprelu',
    ...common,
    sparsityCoefficient: 1e-2,
    sparsityWarmupFraction: 0,
    targetL0: null,
    bandwidth: 1e-3,
    initialThreshold: 1e-3,
  },
};

export function exampleConfig<A extends Architecture>(
  architecture: A,
): Extract<TrainingConfig, { architecture: A }> {
  return { ...examples[architecture] };
}
