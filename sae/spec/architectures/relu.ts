import { describeArchitecture } from './architecture.ts';
import { sparsityWarmupFraction } from './sparsityWarmup.ts';

/** ReLU with an L1 penalty weighted by decoder norms (METHODS.md §1). */
export const relu = describeArchitecture({
  label: 'ReLU',
  hasCrosscoders: true,
  symbol: 'circle',
  colour: '--relu',
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
      before: null,
    },
  },
  /**
   * Chosen on the residual stream of the demo model (d = 128, 1,024 latents, 1.3 M tokens, batch 2,048), held-out rows:
   *
   * | tried | L0 | FVU | dead |
   * |---|---|---|---|
   * | rate 4e-3, λ = 5 | 10 | 0.194 | 4 % |
   * | rate 4e-3, λ = 1 | 23 | 0.066 | 0 |
   * | rate 2e-3, λ = 1 | 28 | 0.068 | 0 |
   * | **rate 3e-3, λ = 0.8** | 31 | 0.055 | 0 |
   */
  defaults: () => ({
    learningRate: 3e-3,
    clipNorm: 1,
    sparsityCoefficient: 0.8,
    sparsityWarmupFraction: 0.05,
    targetL0: null,
  }),
  example: { sparsityCoefficient: 1, sparsityWarmupFraction: 0, targetL0: null },
  refuses: ({ targetL0, width }) =>
    targetL0 !== null && targetL0 > width
      ? `targetL0 is ${targetL0} but there are only ${width} latents (width)`
      : null,
  warmup: 'linear',
  sparsityPenalty: { coefficient: 'sparsityCoefficient', warmupFraction: 'sparsityWarmupFraction' },
  sweeps: [
    { list: 'sparsityCoefficients', setting: 'sparsityCoefficient', letter: 'l' },
    { list: 'targetL0', setting: 'targetL0', letter: 't' },
  ],
  subtractsDecoderBias: true,
  inference: { fires: 'positive' },
  trainsThresholds: false,
  /** Of the controller that steers λ where there is a target; see sae/autoencoders/l0Controller.ts. */
  trainingState: { integral: 0, meanL0: 0 },
});
