import { optimalityGap, sharedThreshold } from '../comparisonDefaults.ts';
import { compareCost } from './cost.ts';
import type { JobDescription } from './job.ts';
import { exclude, nameOf, splitting } from './sharedOptions.ts';

/** `lazyscope compare`: which latents of one dictionary are shared with another. */
export const compare = {
  summary: 'compare two dictionaries, every seed of two runs, or every pair of seeds of one run',
  title: 'Compare two dictionaries',
  shortTitle: 'Compare',
  introduction: 'Matches their latents one to one and says which are shared.',
  options: {
    a: {
      field: {
        type: 'dictionary',
        placeholder: 'run|run/seed',
        doc: 'a run, or one of its seeds as RUN/SEED',
      },
      argument: 'one',
      required: true,
      form: { label: 'Dictionary a', source: 'dictionaries', hint: 'its latents are looked for in b' },
    },
    b: {
      field: { type: 'dictionary', placeholder: 'run|run/seed', doc: 'what to compare it with' },
      argument: 'one',
      required: 'job',
      form: { label: 'Dictionary b', source: 'dictionaries', differsFrom: 'a' },
    },
    name: nameOf('comparison', 'both dictionaries'),
    threshold: {
      field: {
        type: 'number',
        min: 0,
        max: 1,
        placeholder: 'cosine',
        doc: 'both cosines of a shared latent are at least this',
      },
      default: sharedThreshold,
      form: { label: 'Cosine threshold' },
    },
    swap: {
      field: {
        type: 'flag',
        doc: "put b's matched latents in the place of a's, and see what the model makes of it",
      },
      form: { label: 'Functional swap: b’s latents in a’s place' },
    },
    memory: {
      field: { type: 'size', doc: 'what the process may take at most, for example 2GB' },
      otherwise: 'no limit',
      form: { label: 'Memory', advanced: true },
    },
    gap: {
      field: {
        type: 'number',
        min: 0,
        above: true,
        placeholder: 'share',
        doc: 'how far a matching of wide dictionaries may be from the best one',
      },
      default: optimalityGap,
      form: { label: 'Optimality gap', advanced: true },
    },
    maxTokens: {
      field: { type: 'integer', min: 1, doc: 'held-out tokens on which activations are compared' },
      otherwise: '32,768, fewer for wide dictionaries',
      form: { label: 'Tokens compared on', advanced: true },
    },
    exclude: exclude('the comparison of activations', 'what training left out'),
    activations: {
      field: { type: 'flag', doc: 'compare weights alone' },
      default: true,
    },
    chance: {
      field: { type: 'flag', doc: 'leave out what random dictionaries of the same shape would show' },
      default: true,
    },
    ...splitting('blocks of latents and of rows'),
  },
  subject: { what: 'comparison', option: 'name', inDocument: ['comparisons', 0, 'name'] },
  cost: compareCost,
  splits: true,
  needs: { cores: 'all', memory: 0.5, gpu: true },
} as const satisfies JobDescription;
