import { describeArchitecture } from './architecture.ts';
import { sparsityWarmupFraction } from './sparsityWarmup.ts';

/**
 * θ₀ and ε. Before the first step a pre-activation is the product of a random unit row with activations of unit mean
 * squared norm, which is about 1/√d: a threshold that does not shrink with d lets next to nothing through, and latents
 * that never fire are never trained. At d = 576 (SmolLM2-135M, block 15, 4,608 latents, 1.5 M tokens) 0.1 left 38 % of the
 * latents dead.
 */
const startingThreshold = (d: number) => 0.1 * Math.sqrt(128 / d);

/** JumpReLU (Rajamanoharan et al., 2407.14435; METHODS.md §1). */
export const jumprelu = describeArchitecture({
  label: 'JumpReLU',
  hasCrosscoders: true,
  symbol: 'triangle',
  colour: '--jumprelu',
  settings: {
    sparsityCoefficient: {
      type: 'number',
      min: 0,
      placeholder: 'λ',
      label: 'Sparsity λ',
      doc: 'weight of the sparsity loss',
      offered: true,
    },
    sparsityWarmupFraction,
    targetL0: {
      type: 'number',
      min: 0,
      above: true,
      nullable: true,
      placeholder: 'n',
      label: 'Target L0',
      doc: 'L0 to steer to',
      offered: true,
    },
    bandwidth: {
      type: 'number',
      min: 0,
      above: true,
      label: 'Bandwidth ε',
      doc: 'width ε of the straight-through estimators',
    },
    initialThreshold: {
      type: 'number',
      min: 0,
      above: true,
      label: 'θ₀',
      doc: 'threshold θ of every latent before the first step',
    },
  },
  /**
   * Chosen on the data named in `relu.ts`, with L0* = 32:
   *
   * | tried | L0 | FVU | dead |
   * |---|---|---|---|
   * | rate 2e-3, λ = 0.3, ε = 0.05 | 18 | 0.090 | 0.1 % |
   * | rate 4e-3, λ = 1, ε = 0.1 | 29 | 0.049 | 0.1 % |
   * | **rate 4e-3, λ = 4, ε = 0.1** | 31 | 0.048 | 0 |
   *
   * The paper has θ₀ = ε = 0.001 and a rate of 7e-5 over billions of tokens. With Adam, log θ moves by no more than the
   * rate a step, so that in some hundred steps θ would stay where it began, and so narrow a band would hold no entries to
   * learn from. With rows of unit norm and 32 active latents an activation is about 1/√32 = 0.18: θ₀ and ε of 0.1 put the
   * threshold where it will end. The target on L0 spares a search for λ.
   */
  defaults: (width, d) => ({
    learningRate: 4e-3,
    beta1: 0,
    sparsityCoefficient: 4,
    sparsityWarmupFraction: 0.1,
    targetL0: Math.min(32, width / 8),
    bandwidth: startingThreshold(d),
    initialThreshold: startingThreshold(d),
  }),
  example: {
    sparsityCoefficient: 1e-2,
    sparsityWarmupFraction: 0,
    targetL0: null,
    bandwidth: 1e-3,
    initialThreshold: 1e-3,
  },
  refuses: ({ targetL0, width }) =>
    targetL0 !== null && targetL0 > width
      ? `targetL0 is ${targetL0} but there are only ${width} latents (width)`
      : null,
  warmup: 'cosine',
  sparsityPenalty: { coefficient: 'sparsityCoefficient', warmupFraction: 'sparsityWarmupFraction' },
  sweeps: [
    { list: 'targetL0', setting: 'targetL0', letter: 't' },
    { list: 'sparsityCoefficients', setting: 'sparsityCoefficient', letter: 'l' },
  ],
  subtractsDecoderBias: false,
  inference: { fires: 'above threshold' },
  trainsThresholds: true,
  trainingState: {},
});
