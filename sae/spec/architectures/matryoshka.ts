import { describeArchitecture } from './architecture.ts';
import { batchtopk } from './batchtopk.ts';
import { halvings, prefixesFit, prefixesSetting } from './prefixes.ts';

/** Matryoshka over BatchTopK (Bussmann, Nabeshima, Karvonen & Nanda, 2503.17547; METHODS.md §1). */
export const matryoshka = describeArchitecture({
  label: 'Matryoshka',
  symbol: 'hexagon',
  colour: '--matryoshka',
  settings: {
    ...batchtopk.settings,
    prefixes: prefixesSetting,
  },
  /**
   * On the data named in `relu.ts`, with k = 32:
   *
   * | rate | L0 | FVU | dead |
   * |---|---|---|---|
   * | **3e-3** | 32 | 0.043 | 5.9 % |
   * | 4e-3 | 32 | 0.041 | 10.1 % |
   */
  defaults: (width, d) => ({
    ...batchtopk.defaults(width, d),
    learningRate: 3e-3,
    prefixes: halvings(width),
  }),
  example: { ...batchtopk.example, prefixes: [16, 32, 64] },
  refuses: prefixesFit,
  warmup: 'linear',
  sparsityPenalty: null,
  sweeps: [{ list: 'k', setting: 'k', letter: 'k' }],
  subtractsDecoderBias: true,
  inference: { fires: 'above threshold', k: 'k' },
  trainsThresholds: false,
  trainingState: batchtopk.trainingState,
});
