import type { LayerMetric } from './layerMetric.ts';

export const spaceFolding = {
  term: 'Space folding',
  label: 'folding',
  meaning:
    'Along a straight path between two inputs, the share of the changes of the activation pattern that lead back towards its start: 0 for a linear network.',
  source: 'The Space Between: On Folding, Symmetries and Sampling',
  format: 'percent',
  from: 640,
  optional: true,
} as const satisfies LayerMetric;
