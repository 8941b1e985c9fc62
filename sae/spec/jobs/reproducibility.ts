import { sharedThreshold } from '../comparisonDefaults.ts';
import type { JobDescription } from './job.ts';

/** `lazyscope reproducibility`: how likely each feature is to come back in another seed, and how likely by chance. */
export const reproducibility = {
  summary: 'say how likely each feature of a run is to come back in another seed, and how likely by chance',
  title: 'Reproducibility of a run',
  shortTitle: 'Reproducibility',
  introduction:
    'How likely each feature is to come back in another seed. Seeds not compared yet are compared.',
  options: {
    run: {
      field: { type: 'name', doc: 'a run with several seeds' },
      argument: 'one',
      required: true,
      form: { label: 'Run', source: 'runs', hint: 'a finished one with several seeds' },
    },
    threshold: {
      field: {
        type: 'number',
        min: 0,
        max: 1,
        placeholder: 'cosine',
        doc: 'both cosines of a latent that comes back are at least this',
      },
      default: sharedThreshold,
      form: { label: 'Cosine threshold' },
    },
  },
} as const satisfies JobDescription;
