import type { LayerMetric } from './layerMetric.ts';

export const deadRate = {
  term: 'Dead neurons',
  label: 'dead',
  meaning: 'Share of neurons that fire on no token of the text.',
  format: 'percent',
} as const satisfies LayerMetric;
