import { describeArchitecture } from './architecture.ts';
import { halvings, prefixesFit, prefixesSetting } from './prefixes.ts';
import { topk } from './topk.ts';

/** Matryoshka over TopK (2503.17547, §3, with the choice of 2406.04093; METHODS.md §1). */
export const matryoshkatopk = describeArchitecture({
  label: 'Matryoshka TopK',
  symbol: 'wye',
  colour: '--matryoshkatopk',
  settings: { ...topk.settings, prefixes: prefixesSetting },
  /**
   * On the data named in `relu.ts`, with k = 32:
   *
   * | rate | FVU | dead |
   * |---|---|---|
   * | 2e-3 | 0.054 | 6.8 % |
   * | **3e-3** | 0.048 | 10.0 % |
   * | 4e-3 | 0.046 | 12.7 % |
   */
  defaults: (width, d) => ({ ...topk.defaults(width, d), prefixes: halvings(width) }),
  example: { ...topk.example, prefixes: [16, 32, 64] },
  refuses: prefixesFit,
  warmup: 'linear',
  sparsityPenalty: null,
  sweeps: [{ list: 'k', setting: 'k', letter: 'k' }],
  subtractsDecoderBias: true,
  inference: { fires: 'largest', k: 'k' },
  trainsThresholds: false,
  trainingState: {},
});
