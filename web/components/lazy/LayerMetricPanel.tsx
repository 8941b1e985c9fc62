'use client';
import { useMemo } from 'react';
import { layerMetricOf, type LayerMetricName } from '../../../sae/spec/layerMetrics/layerMetrics.ts';
import type { LayerMetric } from '../../../sae/spec/layerMetrics/layerMetric.ts';
import type { SparsityDetail } from '../../../server/client.ts';
import { lineChart, type LineSeries } from '../../charts/lineChart.ts';
import { significant } from '../../format/number.ts';
import { capitalised, measuredIn } from './layerMetric.ts';
import { seriesCsv } from './seriesCsv.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';

/** One metric of the reports, layer by layer: any that `sae/spec/layerMetrics` describes. */
export function LayerMetricPanel({
  reports,
  colours,
  metric,
  change,
}: {
  reports: readonly SparsityDetail[];
  /** By report name. */
  colours: Readonly<Record<string, string>>;
  /** As it stands in the address; the first metric where it is none. */
  metric: string;
  change: (metric: LayerMetricName) => void;
}) {
  const measured = useMemo(() => measuredIn(reports), [reports]);
  const name = measured.find((one) => one === metric) ?? 'activationRatio';
  const { term, label, meaning, source, format } = layerMetricOf(name);
  const series = useMemo(() => seriesOf(reports, name, colours), [reports, name, colours]);
  return (
    <Panel
      title="Layer by layer"
      note={
        <>
          {term}: {meaning} {source && <span className="faint">{source}.</span>}
        </>
      }
      actions={
        <Segmented
          label="Metric"
          value={name}
          options={measured.map((value) => ({ value, name: capitalised(layerMetricOf(value).label) }))}
          change={change}
        />
      }
    >
      <ChartFigure
        bare
        title={`${term} by layer`}
        name={`${name}-by-layer`}
        height={220}
        data={series}
        csv={seriesCsv('layer', name)}
        draw={(lines, size) =>
          lineChart(lines, {
            ...size,
            label: `${term} by layer`,
            x: { label: 'layer', format: (value) => (Number.isInteger(value) ? String(value) : '') },
            y: { label, format: (value) => tick(format, value), domain: [0, top(lines)] },
            dots: true,
          })
        }
        legend={
          <Legend items={series.map((line) => ({ name: line.name, colour: line.colour, shape: 'line' }))} />
        }
      />
    </Panel>
  );
}

function seriesOf(
  reports: readonly SparsityDetail[],
  name: LayerMetricName,
  colours: Readonly<Record<string, string>>,
): LineSeries[] {
  return reports.map(({ report }) => ({
    name: report.name,
    colour: colours[report.name] ?? 'var(--other)',
    x: report.layers.map(({ layer }) => layer),
    y: report.layers.map((layer) => layer[name] ?? Number.NaN),
  }));
}

function tick(format: LayerMetric['format'], value: number): string {
  return format === 'percent' ? `${significant(100 * value, 2)} %` : significant(value, 2);
}

/** A little above the largest value; layers without one are left out. */
function top(lines: readonly LineSeries[]): number {
  const values = lines.flatMap((line) => line.y).filter(Number.isFinite);
  return 1.08 * Math.max(...values, 1e-3);
}
