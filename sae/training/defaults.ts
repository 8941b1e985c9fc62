/**
 * Configurations that work without tuning, for small models and short runs. Papers quote settings for billions of
 * tokens; where a short run needs others, the comment says what was tried.
 */
import type { Architecture, TrainingConfig } from '../store/manifests.ts';
import { checkConfig } from './checkConfig.ts';

export interface DefaultsFor {
  capture: string;
  hook: string;
  /** Width of the activations. */
  d: number;
  tokens: number;
  /** Latents; by default the power of two nearest to 8·d … 16·d. */
  width?: number;
  seeds?: number[];
}

type ConfigOf<A extends Architecture> = Extract<TrainingConfig, { architecture: A }>;

/** Everything that is not in `options` is filled in; throws `bad_input` when the result is no valid configuration. */
export function defaultTrainingConfig<A extends Architecture>(
  architecture: A,
  options: DefaultsFor & Partial<Omit<ConfigOf<A>, 'architecture' | keyof DefaultsFor>>,
): TrainingConfig {
  const { d, ...given } = options;
  const width = options.width ?? 2 ** Math.round(Math.log2(8 * d) + 0.4);
  const batchSize = options.batchSize ?? Math.max(1, Math.min(2048, Math.floor(options.tokens / 50)));
  const steps = Math.ceil(options.tokens / batchSize);
  const common = {
    width,
    seeds: [0],
    batchSize,
    warmupSteps: Math.min(1000, Math.ceil(steps * 0.02)),
    decayFraction: 0.2,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    clipNorm: null,
    // The papers' 10 M tokens is longer than a short run: there a tenth of the run counts as long.
    deadAfter: Math.max(batchSize, Math.min(10_000_000, Math.round(options.tokens / 10))),
    checkpointEvery: 500,
    logEvery: Math.max(1, Math.min(50, Math.floor(steps / 100))),
  };
  const chosen = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return checkConfig({ architecture, ...common, ...specific[architecture](), ...chosen });
}

const specific: Record<Architecture, () => object> = {
  relu: () => ({ learningRate: 2e-3, clipNorm: 1, sparsityCoefficient: 5, sparsityWarmupFraction: 0.05 }),
  topk: () => ({ learningRate: 2e-3, k: 32, auxCoefficient: 1 / 32 }),
  jumprelu: () => ({
    learningRate: 1e-3,
    beta1: 0,
    sparsityCoefficient: 1e-3,
    sparsityWarmupFraction: 0.1,
    targetL0: null,
    bandwidth: 0.01,
    initialThreshold: 0.01,
  }),
};
