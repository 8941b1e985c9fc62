/** The fields of the metrics in the schema of a layer. Apart from their descriptions, so that these load without zod. */
import { z } from 'zod';
import { layerMetricNames, layerMetricOf } from './layerMetrics.ts';
import type { LayerMetricName, OptionalLayerMetric } from './layerMetrics.ts';

type Shape = {
  [Name in LayerMetricName]: Name extends OptionalLayerMetric ? z.ZodOptional<z.ZodNumber> : z.ZodNumber;
};

export const layerMetricShape = Object.fromEntries(
  layerMetricNames.map((name) => [name, layerMetricOf(name).optional ? z.number().optional() : z.number()]),
) as Shape;
