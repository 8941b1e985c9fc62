import { describeArchitecture } from './architecture.ts';
import { batchtopk } from './batchtopk.ts';

/** Matryoshka over BatchTopK (Bussmann, Nabeshima, Karvonen & Nanda, 2503.17547; METHODS.md §1). */
export const matryoshka = describeArchitecture({
  label: 'Matryoshka',
  autoencoderOnly: true,
  symbol: 'hexagon',
  colour: '--matryoshka',
  settings: {
    ...batchtopk.settings,
    prefixes: {
      type: 'integers',
      min: 1,
      maxItems: 64,
      label: 'Prefixes',
      doc: 'numbers of latents that reconstruct on their own, ascending, the last of them all',
      offered: true,
    },
  },
  /**
   * Each prefix is twice the one before, as in the paper's groups. On the data named in `relu.ts`, with k = 32:
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
  refuses: ({ k, width, prefixes }) => {
    if (k > width) return `k is ${k} but there are only ${width} latents (width)`;
    if (prefixes.some((size, i) => i > 0 && size <= prefixes[i - 1]))
      return `prefixes ${prefixes} do not ascend`;
    return prefixes.at(-1) === width
      ? null
      : `the last of prefixes is ${prefixes.at(-1)} but width is ${width}`;
  },
  warmup: 'linear',
  sparsityPenalty: null,
  sweeps: [{ list: 'k', setting: 'k', letter: 'k' }],
  subtractsDecoderBias: true,
  inference: { fires: 'above threshold', k: 'k' },
  trainsThresholds: false,
  trainingState: batchtopk.trainingState,
});

/** A sixteenth of the width, an eighth … all of it. */
function halvings(width: number): number[] {
  return [...new Set([16, 8, 4, 2, 1].map((part) => Math.max(1, Math.floor(width / part))))];
}
