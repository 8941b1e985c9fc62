import type { LayerMetric } from './layerMetric.ts';

export const ratioAtCett = {
  term: 'Active at CETT 0.2',
  label: 'at CETT 0.2',
  meaning:
    'Share of neurons that must stay active for the relative error of the MLP’s output to be at most 20 %.',
  source: 'Sparsing Law, arXiv 2411.02335',
  format: 'percent',
} as const satisfies LayerMetric;
