import { indexCost } from './cost.ts';
import type { JobDescription } from './job.ts';
import { exclude, run, seeds, splitting } from './sharedOptions.ts';

/** `lazyscope index`: for every latent its density, histogram, examples, tokens and neighbours. */
export const index = {
  summary: 'index the features of trained dictionaries for browsing',
  title: 'Index features',
  shortTitle: 'Index',
  introduction: 'Density, histogram, examples, token effects and neighbours of each latent.',
  options: {
    run,
    seeds,
    exclude: exclude('the index', 'what training left out'),
    searchOnly: {
      field: {
        type: 'flag',
        doc: 'make only what search and the pages of features read, of dictionaries that were indexed by an earlier version',
      },
      form: { label: 'Only for search and pages', advanced: true },
    },
    ...splitting('blocks of rows and of latents'),
  },
  subject: { what: 'run', option: 'run' },
  cost: indexCost,
  splits: true,
  needs: { cores: 'all', memory: 0.25, gpu: true },
} as const satisfies JobDescription;
