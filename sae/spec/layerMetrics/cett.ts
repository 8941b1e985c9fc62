import type { LayerMetric } from './layerMetric.ts';

/** At the same share of active neurons for every model: the strongest 2 % of the entries, by |a_i|·n_i. */
export const cett = {
  term: 'CETT',
  label: 'CETT at 2 %',
  meaning:
    'Cumulative error of tail truncation: the relative error of the MLP’s output when the neurons with the smallest contributions are masked. Quoted as one number where the strongest 2 % stay active.',
  source: 'Zhang et al., ReLU² Wins, arXiv 2402.03804',
  format: 'fixed',
  from: 480,
} as const satisfies LayerMetric;
