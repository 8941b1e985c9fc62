/** How each metric that sae/spec/layerMetrics describes is computed. The compiler finds one that is missing. */
import { layerMetricNames, layerMetricOf } from '../../spec/layerMetrics/layerMetrics.ts';
import type { LayerMetricName, LayerMetricValues } from '../../spec/layerMetrics/layerMetrics.ts';
import { quotedRatio } from '../masking/cett.ts';
import type { LayerComputation, MeasuredLayerParts } from './layerComputation.ts';

/** CETT at which the papers quote the share of active neurons. */
const quotedCett = 0.2;

const layerComputations = {
  activationRatio: ({ firing }) => firing.activationRatio(),
  deadRate: ({ firing }) => firing.deadRate(),
  cett: ({ cett }) => cett.at(cett.thresholdMasking(1 - quotedRatio)),
  ratioAtCett: ({ cett, curve }) => cett.solve(quotedCett, curve).activeRatio,
  dynamicDeadRate: ({ firing }) => firing.dynamicDeadRate(),
  attentionOverload: ({ entropy }) => entropy.overload(),
  spaceFolding: ({ folding }) => folding ?? Number.NaN,
} satisfies Record<LayerMetricName, LayerComputation>;

/** The numbers of one layer. One that may be undefined is left out where it is. */
export function layerMetricValues(layer: MeasuredLayerParts): LayerMetricValues {
  const values = layerMetricNames
    .map((name) => [name, layerComputations[name](layer)] as const)
    .filter(([name, value]) => !(layerMetricOf(name).optional && Number.isNaN(value)));
  return Object.fromEntries(values) as LayerMetricValues;
}
