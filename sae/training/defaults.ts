/**
 * Configurations that work without tuning, for small models and short runs. Papers quote settings for billions of
 * tokens; where a short run needs others, the architecture's description says what was tried.
 */
import {
  type ArchitectureName,
  type ConfigOf,
  describedArchitecture,
  type TrainingConfig,
} from '../spec/architectures/architectures.ts';
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

/**
 * How far log θ must be able to move in a run. With Adam it moves by no more than the rate a step, whatever the width, so that in a
 * short run of a wide dictionary the target on L0 would be out of reach: scripts/studies/training-defaults.md has the figures.
 */
const thresholdReach = 0.8;

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
  const { learningRate, ...own } = describedArchitecture(architecture).defaults(width, d);
  const chosen = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const scaled = learningRate * rateScale;
  const reaching = describedArchitecture(architecture).trainsThresholds ? thresholdReach / steps : 0;
  const rate = Math.max(scaled, Math.min(learningRate, reaching));
  return checkConfig({ architecture, ...common, learningRate: rate, ...own, ...chosen });
}
