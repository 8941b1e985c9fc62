import { describeArchitecture } from './architecture.ts';
import { topk } from './topk.ts';

/** When an activation of matching pursuit is done. */
export interface Pursuit {
  /** Once what is left of it has less than this norm; 0 for never. */
  readonly residualThreshold: number;
  /** After so many latents. */
  readonly maxIterations: number;
  /** Whether it is done once a latent is chosen that it has already, or one that adds nothing. */
  readonly stopsOnRepeat: boolean;
}

/** Matching pursuit (Costa et al., 2506.03093) as SAELens has it (saes/matching_pursuit_sae.py); METHODS.md §1. */
export const matchingpursuit = describeArchitecture({
  label: 'Matching pursuit',
  symbol: 'pentagon',
  colour: '--other',
  settings: {
    residualThreshold: {
      type: 'number',
      min: 0,
      label: 'Residual threshold',
      doc: 'norm of what is left of an activation, below which no latent is added; 0 for no such end',
    },
    maxIterations: {
      type: 'integer',
      min: 1,
      label: 'Iterations',
      doc: 'how often a latent is added at most',
    },
    stopsOnRepeat: {
      type: 'flag',
      label: 'Ends on a repeat',
      doc: 'whether an activation is done once a latent is chosen again',
    },
  },
  defaults: (width, d) => ({
    learningRate: topk.defaults(width, d).learningRate,
    residualThreshold: 0.01,
    maxIterations: d,
    stopsOnRepeat: true,
  }),
  example: { residualThreshold: 0.5, maxIterations: 8, stopsOnRepeat: true },
  warmup: 'linear',
  sparsityPenalty: null,
  sweeps: [],
  subtractsDecoderBias: true,
  inference: { fires: 'by matching pursuit' },
  trainsThresholds: false,
  trainingState: {},
});
