import { describeArchitecture } from './architecture.ts';
import { auxCoefficient } from './auxCoefficient.ts';

/** TopK (Gao et al., 2406.04093; METHODS.md §1). */
export const topk = describeArchitecture({
  label: 'TopK',
  hasCrosscoders: true,
  symbol: 'square',
  colour: '--topk',
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
  },
  /** On the data named in `relu.ts`, k = 32 and a rate of 3e-3 give FVU 0.040 with 0.3 % of the latents dead. */
  defaults: (width) => ({ learningRate: 3e-3, k: Math.min(32, width), auxCoefficient: 1 / 32 }),
  example: { k: 8, auxCoefficient: 1 / 32 },
  refuses: ({ k, width }) => (k > width ? `k is ${k} but there are only ${width} latents (width)` : null),
  warmup: 'linear',
  sparsityPenalty: null,
  sweeps: [{ list: 'k', setting: 'k', letter: 'k' }],
  subtractsDecoderBias: true,
  inference: { fires: 'largest', k: 'k' },
  trainsThresholds: false,
  trainingState: {},
});
