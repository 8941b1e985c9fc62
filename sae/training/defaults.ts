/**
 * Configurations that work without tuning, for small models and short runs. Papers quote settings for billions of
 * tokens; where a short run needs others, the comment says what was tried.
 */
import type { ArchitectureName, TrainingConfig } from '../spec/architectures/architectures.ts';
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

type ConfigOf<A extends ArchitectureName> = Extract<TrainingConfig, { architecture: A }>;

/** Everything that is not in `options` is filled in; throws `bad_input` when the result is no valid configuration. */
export function defaultTrainingConfig<A extends ArchitectureName>(
  architecture: A,
  options: DefaultsFor & Partial<Omit<ConfigOf<A>, 'architecture' | keyof DefaultsFor>>,
): TrainingConfig {
  const { d, ...given } = options;
  const width = options.width ?? 2 ** Math.round(Math.log2(8 * d) + 0.4);
  const batchSize = options.batchSize ?? Math.max(1, Math.min(2048, Math.floor(options.tokens / 50)));
  const steps = Math.ceil(options.tokens / batchSize);
  // Wider dictionaries take smaller steps; 1,024 latents is where the rates below were chosen.
  const rateScale = Math.min(1, Math.sqrt(1024 / width));
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
  const { learningRate, ...own } = specific(width)[architecture];
  const chosen = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return checkConfig({ architecture, ...common, learningRate: learningRate * rateScale, ...own, ...chosen });
}

/**
 * Chosen on the residual stream of the demo model (d = 128, 1,024 latents, 1.3 M tokens, batch 2,048), held-out rows:
 *
 * | architecture | tried | L0 | FVU | dead |
 * |---|---|---|---|---|
 * | TopK, k = 32 | rate 3e-3 | 32 | 0.040 | 0.3 % |
 * | ReLU | rate 4e-3, λ = 5 | 10 | 0.194 | 4 % |
 * | ReLU | rate 4e-3, λ = 1 | 23 | 0.066 | 0 |
 * | ReLU | rate 2e-3, λ = 1 | 28 | 0.068 | 0 |
 * | ReLU | **rate 3e-3, λ = 0.8** | 31 | 0.055 | 0 |
 * | JumpReLU, L0* = 32 | rate 2e-3, λ = 0.3, ε = 0.05 | 18 | 0.090 | 0.1 % |
 * | JumpReLU, L0* = 32 | rate 4e-3, λ = 1, ε = 0.1 | 29 | 0.049 | 0.1 % |
 * | JumpReLU, L0* = 32 | **rate 4e-3, λ = 4, ε = 0.1** | 31 | 0.048 | 0 |
 *
 * JumpReLU's paper has θ₀ = ε = 0.001 and a rate of 7e-5 over billions of tokens. With Adam, log θ moves by no more
 * than the rate a step, so that in some hundred steps θ would stay where it began, and so narrow a band would hold no
 * entries to learn from. With rows of unit norm and 32 active latents an activation is about 1/√32 = 0.18: θ₀ and ε
 * of 0.1 put the threshold where it will end. The target on L0 spares a search for λ.
 */
const specific = (width: number): Record<ArchitectureName, { learningRate: number }> => ({
  relu: settings<'relu'>({
    learningRate: 3e-3,
    clipNorm: 1,
    sparsityCoefficient: 0.8,
    sparsityWarmupFraction: 0.05,
  }),
  topk: settings<'topk'>({ learningRate: 3e-3, k: Math.min(32, width), auxCoefficient: 1 / 32 }),
  jumprelu: settings<'jumprelu'>({
    learningRate: 4e-3,
    beta1: 0,
    sparsityCoefficient: 4,
    sparsityWarmupFraction: 0.1,
    targetL0: Math.min(32, width / 8),
    bandwidth: 0.1,
    initialThreshold: 0.1,
  }),
});

function settings<A extends ArchitectureName>(own: Partial<ConfigOf<A>> & { learningRate: number }) {
  return own;
}
