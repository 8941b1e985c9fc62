import { sharedThreshold } from '../comparisonDefaults.ts';
import { reproducibilityCost } from './cost.ts';
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
    worth: {
      field: {
        type: 'flag',
        doc: 'also say what stability is worth: groups of features by how surely they come back, taken out and kept alone on held-out text',
      },
      form: { label: 'What stability is worth', hint: 'runs the model some hundred times' },
    },
    maxTokens: {
      field: { type: 'integer', min: 1, doc: 'for --worth, held-out tokens to reconstruct' },
      otherwise: '16384',
      form: { label: 'Most tokens', advanced: true, when: { option: 'worth', values: ['on'] } },
    },
    lossTokens: {
      field: { type: 'integer', min: 1, doc: 'for --worth, held-out tokens that the model is run on' },
      otherwise: '4096',
      form: { label: 'Tokens of the losses', advanced: true, when: { option: 'worth', values: ['on'] } },
    },
    draws: {
      field: {
        type: 'integer',
        min: 3,
        max: 1000,
        doc: 'for --worth, random groupings of like density and strength; each runs the model twenty times',
      },
      otherwise: '19',
      form: { label: 'Random groupings', advanced: true, when: { option: 'worth', values: ['on'] } },
    },
  },
  cost: reproducibilityCost,
} as const satisfies JobDescription;
