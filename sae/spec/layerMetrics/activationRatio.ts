import type { LayerMetric } from './layerMetric.ts';

export const activationRatio = {
  term: 'Activation ratio',
  label: 'active',
  meaning: 'Share of the MLP’s neurons whose activation is not exactly zero, on average over tokens.',
  source: 'Li et al., The Lazy Neuron Phenomenon, arXiv 2210.06313',
  format: 'percent',
} as const satisfies LayerMetric;
