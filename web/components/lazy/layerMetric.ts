/** How the lazy page prints the metrics of layers, from their descriptions. */
import {
  layerMetricNames,
  layerMetricOf,
  type LayerMetricName,
} from '../../../sae/spec/layerMetrics/layerMetrics.ts';
import type { SparsityDetail } from '../../../server/client.ts';
import { fixed, percent } from '../../format/number.ts';

/** The metrics that some layer of some report has: older reports lack the newer ones. */
export function measuredIn(reports: readonly Pick<SparsityDetail, 'report'>[]): LayerMetricName[] {
  const layers = reports.flatMap(({ report }) => report.layers);
  return layerMetricNames.filter((name) => layers.some((layer) => layer[name] !== undefined));
}

export function metricText(name: LayerMetricName, value: number): string {
  return layerMetricOf(name).format === 'percent' ? percent(value) : fixed(value);
}

export function capitalised(label: string): string {
  return label.charAt(0).toUpperCase() + label.slice(1);
}
