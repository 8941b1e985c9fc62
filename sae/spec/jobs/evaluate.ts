import type { JobDescription } from './job.ts';
import { run, seeds } from './sharedOptions.ts';

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
  },
} as const satisfies JobDescription;
