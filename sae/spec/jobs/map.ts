import { mostMapPoints } from '../comparisonDefaults.ts';
import { mapCost } from './cost.ts';
import type { JobDescription } from './job.ts';

/** `lazyscope map`: both dictionaries of a comparison laid out in the plane, for the explorer. */
export const map = {
  summary: 'lay the dictionaries of a comparison out on a map (UMAP of their decoder rows)',
  title: 'Map two dictionaries',
  shortTitle: 'Map',
  introduction: 'Lays the decoder rows of both dictionaries of a comparison out in the plane (UMAP).',
  options: {
    comparison: {
      field: { type: 'name', doc: 'comparisons' },
      argument: 'several',
      required: true,
      form: { label: 'Comparison', source: 'comparisons', hint: 'whose dictionaries are laid out' },
    },
    points: {
      field: { type: 'integer', min: 1, doc: 'at most, of both dictionaries together' },
      default: mostMapPoints,
      form: { label: 'Most points' },
    },
  },
  subject: { what: 'comparison', option: 'comparison' },
  cost: mapCost,
  needs: { cores: 1, memory: 0.25, gpu: true },
} as const satisfies JobDescription;
