'use client';
import { useMemo } from 'react';
import type { SparsityDetail } from '../../../server/client.ts';
import { lineChart, type LineSeries } from '../../charts/lineChart.ts';
import { lineStyle } from '../../charts/lineStyle.ts';
import { compact, percent } from '../../format/number.ts';
import { seriesCsv } from './seriesCsv.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Panel } from '../ui/Panel.tsx';

/** The activation ratio of each layer by position in the context. */
export function PositionPanel({
  reports,
  colours,
}: {
  reports: readonly SparsityDetail[];
  /** By report name. */
  colours: Readonly<Record<string, string>>;
}) {
  const series = useMemo(
    () =>
      reports.flatMap(({ report, positions }) =>
        positions.map((line, index): LineSeries => ({
          name: `${report.name}, layer ${line.layer}`,
          ...lineStyle(colours[report.name] ?? 'var(--other)', index, positions.length),
          x: line.position,
          y: line.activationRatio,
        })),
      ),
    [reports, colours],
  );
  return (
    <Panel
      title="Activation ratio along the sequence"
      note="Activation ratio by position in the context; a line a layer, deeper layers darker."
    >
      <ChartFigure
        bare
        title="Activation ratio by position"
        name="activation-ratio-by-position"
        height={240}
        data={series}
        csv={seriesCsv('position', 'activationRatio')}
        draw={(lines, size) =>
          lineChart(lines, {
            ...size,
            label: 'Activation ratio by position in the sequence',
            x: { label: 'position (tokens)', format: compact },
            y: {
              label: 'activation ratio',
              format: (value) => percent(value, 0),
              domain: [0, Math.min(1, top(lines) * 1.08)],
            },
          })
        }
        legend={
          <Legend
            items={reports.map(({ report }) => ({
              name: report.name,
              colour: colours[report.name] ?? 'var(--other)',
              shape: 'line',
            }))}
          />
        }
      />
    </Panel>
  );
}

function top(lines: readonly LineSeries[]): number {
  return lines.reduce((most, line) => line.y.reduce((best, value) => Math.max(best, value), most), 0.01);
}
