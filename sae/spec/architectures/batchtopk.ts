import { describeArchitecture } from './architecture.ts';
import { auxCoefficient } from './auxCoefficient.ts';

/** BatchTopK (Bussmann, Leask & Nanda, 2412.06410; METHODS.md §1). */
export const batchtopk = describeArchitecture({
  label: 'BatchTopK',
  hasCrosscoders: true,
  symbol: 'diamond',
  colour: '--batchtopk',
  settings: {
    k: {
      type: 'integer',
      min: 1,
      placeholder: 'n',
      label: 'k',
      doc: 'active latents a token',
      offered: true,
    },
    auxCoefficient,
    thresholdMomentum: {
      type: 'number',
      min: 0,
      max: 1,
      label: 'Threshold momentum',
      doc: 'how much of the threshold for inference each step keeps',
    },
  },
  /**
   * Chosen on the data named in `relu.ts`, with k = 32:
   *
   * | rate | L0 | FVU | dead |
   * |---|---|---|---|
   * | 2e-3 | 30 | 0.053 | 0 |
   * | 3e-3 | 31 | 0.045 | 0.3 % |
   * | **4e-3** | 31 | 0.039 | 1.4 % |
   * | 6e-3 | 32 | 0.031 | 6.0 % |
   */
  defaults: (width) => ({
    learningRate: 4e-3,
    k: Math.min(32, width),
    auxCoefficient: 1 / 32,
    thresholdMomentum: 0.99,
  }),
  example: { k: 8, auxCoefficient: 1 / 32, thresholdMomentum: 0.9 },
  refuses: ({ k, width }) => (k > width ? `k is ${k} but there are only ${width} latents (width)` : null),
  warmup: 'linear',
  sparsityPenalty: null,
  sweeps: [{ list: 'k', setting: 'k', letter: 'k' }],
  subtractsDecoderBias: true,
  inference: { fires: 'above threshold', k: 'k' },
  trainsThresholds: false,
  /**
   * `threshold` is the θ of inference, below 0 until a latent has fired; `least` is the smallest activation that the last
   * step kept, from which the next one begins its search.
   */
  trainingState: { threshold: -1, least: 0 },
});
