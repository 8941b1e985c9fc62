'use client';
import { useMemo } from 'react';
import type { SparsityDetail } from '../../../server/client.ts';
import { lineChart, type LineSeries } from '../../charts/lineChart.ts';
import { percent, significant } from '../../format/number.ts';
import { lineStyle } from '../../charts/lineStyle.ts';
import { useUrlChoice } from '../../client/useUrlState.ts';
import { seriesCsv } from './seriesCsv.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Term } from '../ui/Term.tsx';

/** CETT curves, one a layer: the relative error of the MLP's output against how many neurons are masked. */
export function CettPanel({
  reports,
  colours,
}: {
  reports: readonly SparsityDetail[];
  /** By report name. */
  colours: Readonly<Record<string, string>>;
}) {
  const [axis, setAxis] = useUrlChoice('cett', ['threshold', 'active'], 'threshold');
  const series = useMemo(
    () =>
      reports.flatMap(({ report, curves }) =>
        curves.map((curve, index): LineSeries => ({
          name: `${report.name}, layer ${curve.layer}`,
          ...lineStyle(colours[report.name] ?? 'var(--other)', index, curves.length),
          x: axis === 'threshold' ? curve.threshold : curve.activeRatio,
          y: curve.cett,
        })),
      ),
    [reports, colours, axis],
  );
  return (
    <Panel
      title="Output error when neurons are masked"
      note={
        <>
          <Term of="cett">CETT</Term>: relative error of the MLP’s output when neurons with contributions
          below the threshold are masked. Deeper layers are darker.
        </>
      }
      actions={
        <Segmented
          label="Horizontal axis"
          value={axis}
          options={[
            { value: 'threshold', name: 'By threshold' },
            { value: 'active', name: 'By share left active' },
          ]}
          change={setAxis}
        />
      }
    >
      <ChartFigure
        bare
        title={
          axis === 'threshold'
            ? 'CETT against the threshold'
            : 'CETT against the share of neurons left active'
        }
        name={`cett-by-${axis}`}
        height={300}
        data={series}
        csv={seriesCsv(axis === 'threshold' ? 'threshold' : 'active', 'CETT')}
        draw={(lines, size) =>
          lineChart(lines, {
            ...size,
            label: 'Error of the MLP’s output (CETT)',
            x:
              axis === 'threshold'
                ? {
                    label: 'threshold on |a|·‖W_down‖ (log)',
                    log: true,
                    format: (value) => significant(value, 2),
                  }
                : {
                    label: 'share of neurons left active',
                    format: (value) => percent(value, 0),
                    domain: [0, 1],
                  },
            y: { label: 'CETT', format: (value) => significant(value, 2), domain: [0, 1] },
            level: { y: 0.2, caption: 'CETT 0.2' },
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
