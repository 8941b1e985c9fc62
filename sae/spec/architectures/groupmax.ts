import { describeArchitecture } from './architecture.ts';
import { topk } from './topk.ts';

/** The `groupmax` activation of EleutherAI's sparsify (sparsify/fused_encoder.py): one latent of each of k groups. */
export const groupmax = describeArchitecture({
  label: 'GroupMax',
  symbol: 'plus',
  colour: '--other',
  settings: { k: { ...topk.settings.k, doc: 'groups, of each of which one latent fires' } },
  defaults: (width, d) => ({ learningRate: topk.defaults(width, d).learningRate, k: 1 }),
  example: { k: 8 },
  refuses: ({ k, width }) => (width % k === 0 ? null : `k is ${k}, which does not divide ${width} latents`),
  warmup: 'linear',
  sparsityPenalty: null,
  sweeps: [],
  subtractsDecoderBias: true,
  inference: { fires: 'largest of its group', k: 'k' },
  trainsThresholds: false,
  trainingState: {},
});
