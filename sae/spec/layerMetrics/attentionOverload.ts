import type { LayerMetric } from './layerMetric.ts';

export const attentionOverload = {
  term: 'Entropic overload',
  label: 'overload',
  meaning: 'Share of attention heads whose entropy is above three quarters of the largest possible.',
  source: 'ReLU’s Revival, arXiv 2410.09637',
  format: 'percent',
  from: 640,
  optional: true,
} as const satisfies LayerMetric;
