'use client';
import { useMemo } from 'react';
import type { SparsityDetail } from '../../../server/client.ts';
import { lineChart, type LineSeries } from '../../charts/lineChart.ts';
import { useUrlChoice } from '../../client/useUrlState.ts';
import { significant } from '../../format/number.ts';
import { seriesCsv } from './seriesCsv.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Term } from '../ui/Term.tsx';

const measures = {
  alignment: {
    name: 'Alignment',
    lines: [
      { key: 'inputAlignment', name: 'with the token read', dash: undefined },
      { key: 'targetAlignment', name: 'with the token to come', dash: '5 3' },
    ],
  },
  signal: {
    name: 'Signal',
    lines: [
      { key: 'variance', name: 'variance', dash: undefined },
      { key: 'meanSquared', name: 'mean²', dash: '5 3' },
    ],
  },
  median: {
    name: 'Signal, median token',
    lines: [
      { key: 'medianVariance', name: 'variance', dash: undefined },
      { key: 'medianMeanSquared', name: 'mean²', dash: '5 3' },
    ],
  },
} as const;
type Measure = keyof typeof measures;
const measureNames = Object.keys(measures) as Measure[];

/** Kernel alignment and signal propagation of the residual stream, by depth. */
export function DepthPanel({
  reports,
  colours,
}: {
  reports: readonly SparsityDetail[];
  /** By report name. */
  colours: Readonly<Record<string, string>>;
}) {
  const [measure, setMeasure] = useUrlChoice('depth', measureNames, 'alignment');
  const series = useMemo(
    () =>
      reports.flatMap(({ report }) =>
        measures[measure].lines.map(({ key, name, dash }): LineSeries => ({
          name: `${report.name}, ${name}`,
          colour: colours[report.name] ?? 'var(--other)',
          dash,
          x: (report.depth ?? []).map((_, depth) => depth),
          y: (report.depth ?? []).map((place) => place[key] ?? Number.NaN),
        })),
      ),
    [reports, colours, measure],
  );
  if (!reports.some(({ report }) => report.depth)) return null;
  // Older reports have no medians.
  const medians = reports.some(({ report }) =>
    report.depth?.some((place) => place.medianVariance !== undefined),
  );
  const offered: Measure[] = medians ? ['alignment', 'signal', 'median'] : ['alignment', 'signal'];
  return (
    <Panel
      title="The residual stream through the layers"
      note={
        <>
          The residual stream after the embedding (0) and after each layer: <Term of="alignment">CKA</Term>{' '}
          with the token read and the token to come, or the <Term of="signal">signal</Term> itself: its mean,
          which a few attention sinks may dominate, and that of the median token.
        </>
      }
      actions={
        <Segmented
          label="Measure"
          value={measure}
          options={offered.map((value) => ({ value, name: measures[value].name }))}
          change={setMeasure}
        />
      }
    >
      <ChartFigure
        bare
        title={measure === 'alignment' ? 'Kernel alignment by depth' : 'Signal propagation by depth'}
        name={`${measure}-by-depth`}
        height={240}
        data={series}
        csv={seriesCsv('depth', measure)}
        draw={(lines, size) =>
          lineChart(lines, {
            ...size,
            label:
              measure === 'alignment'
                ? 'Alignment of the residual stream with tokens, by depth'
                : 'Variance and squared mean of the residual stream, by depth',
            x: { label: 'layers passed', format: (value) => (Number.isInteger(value) ? String(value) : '') },
            y: { label: measures[measure].name.toLowerCase(), format: (value) => significant(value, 2) },
            dots: true,
          })
        }
        legend={
          <Legend
            items={series.map(({ name, colour, dash }) => ({ name, colour, dash, shape: 'line' as const }))}
          />
        }
      />
    </Panel>
  );
}
