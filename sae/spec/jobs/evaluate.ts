import { evaluateCost } from './cost.ts';
import type { JobDescription } from './job.ts';
import { exclude, run, seeds } from './sharedOptions.ts';

/** `lazyscope evaluate`: L0, FVU, cross-entropy recovered and the rest, on held-out tokens. */
export const evaluate = {
  summary: 'evaluate trained dictionaries on held-out tokens',
  title: 'Evaluate a run',
  shortTitle: 'Evaluate',
  introduction: 'L0, FVU and cross-entropy recovered, on held-out tokens.',
  options: {
    run,
    seeds,
    maxTokens: {
      field: { type: 'integer', min: 1, doc: 'held-out tokens to use' },
      otherwise: 'all',
      form: { label: 'Most tokens' },
    },
    lossTokens: {
      field: {
        type: 'integer',
        min: 1,
        doc: 'held-out tokens that the model is run on, four times each, for the losses',
      },
      default: 8192,
      form: { label: 'Tokens of the losses', hint: 'each is run four times', advanced: true },
    },
    exclude: exclude('the figures but the losses', 'what training left out'),
  },
  subject: { what: 'run', option: 'run' },
  cost: evaluateCost,
  needs: { cores: 'all', memory: 0.5, gpu: true },
} as const satisfies JobDescription;
