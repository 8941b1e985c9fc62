/** Every number that a sparsity report gives for each layer, in the order of tables. A new one is a line here. */
import { activationRatio } from './activationRatio.ts';
import { attentionOverload } from './attentionOverload.ts';
import { cett } from './cett.ts';
import { deadRate } from './deadRate.ts';
import { dynamicDeadRate } from './dynamicDeadRate.ts';
import type { LayerMetric } from './layerMetric.ts';
import { ratioAtCett } from './ratioAtCett.ts';
import { spaceFolding } from './spaceFolding.ts';

export const layerMetrics = {
  activationRatio,
  deadRate,
  cett,
  ratioAtCett,
  dynamicDeadRate,
  attentionOverload,
  spaceFolding,
} as const satisfies Record<string, LayerMetric>;

export type LayerMetricName = keyof typeof layerMetrics;

export type OptionalLayerMetric = {
  [Name in LayerMetricName]: (typeof layerMetrics)[Name] extends { readonly optional: true } ? Name : never;
}[LayerMetricName];

/** The numbers of one layer, or of several taken together. */
export type LayerMetricValues = { [Name in Exclude<LayerMetricName, OptionalLayerMetric>]: number } & {
  [Name in OptionalLayerMetric]?: number | undefined;
};

export const layerMetricNames = Object.keys(layerMetrics) as readonly LayerMetricName[];

export const layerMetricOf = (name: LayerMetricName): LayerMetric => layerMetrics[name];

/** Of several layers, the mean of each number weighted by neurons; absent where a layer lacks it. */
export function meanOverNeurons(
  layers: readonly (LayerMetricValues & { readonly neurons: number })[],
): LayerMetricValues {
  const neurons = layers.reduce((sum, layer) => sum + layer.neurons, 0);
  const means = layerMetricNames.flatMap((name) => {
    const mean = layers.reduce(
      (sum, layer) => sum + ((layer[name] ?? Number.NaN) * layer.neurons) / neurons,
      0,
    );
    return Number.isNaN(mean) ? [] : [[name, mean] as const];
  });
  return Object.fromEntries(means) as LayerMetricValues;
}
