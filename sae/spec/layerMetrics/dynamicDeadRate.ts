import type { LayerMetric } from './layerMetric.ts';

export const dynamicDeadRate = {
  term: 'Dynamic dead',
  label: 'dyn. dead',
  meaning: 'Share of neurons silent in a whole batch, on average over batches.',
  format: 'percent',
  from: 480,
} as const satisfies LayerMetric;
