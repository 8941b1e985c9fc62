import { describeArchitecture } from './architecture.ts';
import { sparsityWarmupFraction } from './sparsityWarmup.ts';

/** Gated (Rajamanoharan et al., 2404.16014; METHODS.md §1). */
export const gated = describeArchitecture({
  label: 'Gated',
  symbol: 'star',
  colour: '--gated',
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
  },
  /**
   * Chosen on the data named in `relu.ts`:
   *
   * | tried | L0 | FVU | dead |
   * |---|---|---|---|
   * | rate 3e-3, λ = 1 | 77 | 0.056 | 0 |
   * | rate 3e-3, λ = 2 | 34 | 0.098 | 0.2 % |
   * | rate 6e-3, λ = 1.2 | 44 | 0.059 | 2.2 % |
   * | **rate 6e-3, λ = 1.5** | 32 | 0.072 | 4.6 % |
   * | rate 6e-3, λ = 2 | 21 | 0.096 | 10 % |
   */
  defaults: () => ({
    learningRate: 6e-3,
    sparsityCoefficient: 1.5,
    sparsityWarmupFraction: 0.05,
  }),
  example: { sparsityCoefficient: 1, sparsityWarmupFraction: 0 },
  warmup: 'linear',
  sparsityPenalty: { coefficient: 'sparsityCoefficient', warmupFraction: 'sparsityWarmupFraction' },
  sweeps: [{ list: 'sparsityCoefficients', setting: 'sparsityCoefficient', letter: 'l' }],
  subtractsDecoderBias: true,
  /** Of the finished dictionary, whose threshold on a magnitude says where the gate is open; it may be below 0. */
  inference: { fires: 'above threshold' },
  trainsThresholds: false,
  trainingState: {},
});
