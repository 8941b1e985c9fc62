import { sharedThreshold } from '../comparisonDefaults.ts';
import type { JobDescription } from './job.ts';
import { nameOf } from './sharedOptions.ts';

/** `lazyscope consensus`: a dictionary of what several seeds agree on, trained further. */
export const consensus = {
  summary: 'make a dictionary of what the seeds of a run agree on, and train it further',
  title: 'Consensus of a run’s seeds',
  shortTitle: 'Consensus',
  introduction:
    'Latents that several seeds have are averaged, the rest is filled up with the most valuable ones, and the dictionary is trained further. The result is a run.',
  options: {
    run: {
      field: { type: 'name', doc: 'a run with several seeds' },
      argument: 'one',
      required: true,
      form: { label: 'Run', source: 'runs', hint: 'a finished one with several seeds' },
    },
    seeds: {
      field: { type: 'integers', min: 0, maxItems: 1000, doc: 'seeds to pool, for example 0,1,2 or 0-4' },
      otherwise: 'all of the run',
      form: { label: 'Seeds' },
    },
    minSupport: {
      field: {
        type: 'integer',
        min: 2,
        placeholder: 'seeds',
        doc: 'seeds that must have a latent for it to be taken before the others',
      },
      default: 2,
      form: { label: 'Least support' },
    },
    groups: {
      field: {
        type: 'integer',
        min: 1,
        max: 100,
        doc: 'consensus dictionaries to make, each from seeds of its own; with two or more they are compared with one another as the seeds are',
      },
      default: 1,
      form: { label: 'Groups', hint: 'each from seeds of its own' },
    },
    control: {
      field: {
        type: 'flag',
        doc: 'also train the first seed of each group as much further, as NAME-control: what training further does without a consensus',
      },
      form: { label: 'A control: single seeds trained as much further' },
    },
    threshold: {
      field: {
        type: 'number',
        min: 0,
        max: 1,
        placeholder: 'cosine',
        doc: 'both cosines of two latents that are taken for one are at least this',
      },
      default: sharedThreshold,
      form: { label: 'Cosine threshold', advanced: true },
    },
    tokens: {
      field: { type: 'integer', min: 1, doc: 'tokens to train on further' },
      otherwise: 'a quarter of those of the run',
      form: { label: 'Tokens' },
    },
    name: nameOf('run', 'RUN-consensus'),
  },
  subject: { what: 'run', option: 'name', inDocument: ['run', 'name'] },
} as const satisfies JobDescription;
