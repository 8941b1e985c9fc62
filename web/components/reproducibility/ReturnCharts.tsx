'use client';
import { useMemo } from 'react';
import type { ReproducibilityDetail } from '../../../server/client.ts';
import { lineChart, type LineSeries } from '../../charts/lineChart.ts';
import { chanceColour } from '../../charts/sharedCurve.ts';
import { stabilityHistogram } from '../../charts/stabilityHistogram.ts';
import { fixed, percent } from '../../format/number.ts';
import { seriesCsv } from '../lazy/seriesCsv.ts';
import { stabilityCsv } from '../runs/StabilityPanel.tsx';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Panel } from '../ui/Panel.tsx';

/** The curve over the threshold, how many seeds share a feature, and the curve over the number of seeds. */
export function ReturnCharts({ detail, colour }: { detail: ReproducibilityDetail; colour: string }) {
  const { report } = detail;
  const others = report.seeds.length - 1;
  const overThreshold = useMemo(() => thresholdLines(detail, colour), [detail, colour]);
  const overSeeds = useMemo(() => seedLines(detail, colour), [detail, colour]);
  const bars = useMemo(
    () => report.histogram.map((latents, seeds) => ({ stability: seeds / others, latents })),
    [report, others],
  );
  const { law } = report.learning;
  const legend = (lines: readonly LineSeries[]) => (
    <Legend items={lines.map(({ name, colour: ink, dash }) => ({ name, colour: ink, dash }))} />
  );
  return (
    <Panel title="How many come back">
      <div className="columns" style={{ '--column': '20rem' } as React.CSSProperties}>
        <ChartFigure
          title="Against the threshold"
          note="Both cosines of a feature and its counterpart reach it."
          name={`${report.run}-returns-threshold`}
          csv={seriesCsv('threshold', 'share')}
          data={overThreshold}
          draw={(lines, size) =>
            lineChart(lines, {
              ...size,
              label: 'Share of features that come back, against the cosine threshold',
              x: { label: 'cosine threshold', format: (value) => fixed(value, 1), domain: [0, 1] },
              y: { label: 'share of features', format: (value) => percent(value, 0), domain: [0, 1] },
            })
          }
          legend={legend(overThreshold)}
        />
        <ChartFigure
          title="By the number of other seeds"
          note={`At a threshold of ${report.threshold}.`}
          name={`${report.run}-returns`}
          csv={stabilityCsv}
          data={bars}
          draw={(drawn, size) => stabilityHistogram(drawn, { ...size, otherSeeds: others, colour })}
        />
        <ChartFigure
          title="Against the number of seeds"
          note={
            law
              ? `Features in all of n seeds; line: probabilities spread as Beta(${fixed(law.a, 2)}, ${fixed(law.b, 2)}).`
              : 'Features in all of n seeds. A law is fitted from three seeds on.'
          }
          name={`${report.run}-returns-seeds`}
          csv={seriesCsv('seeds', 'share')}
          data={overSeeds}
          draw={(lines, size) =>
            lineChart(lines, {
              ...size,
              label: 'Share of features that are in all of n seeds',
              x: { label: 'seeds', format: (value) => String(value) },
              y: { label: 'in all of them', format: (value) => percent(value, 0) },
              dots: true,
            })
          }
          legend={legend(overSeeds)}
        />
      </div>
    </Panel>
  );
}

function thresholdLines({ curve }: ReproducibilityDetail, colour: string): LineSeries[] {
  const x = curve.map(({ threshold }) => threshold);
  const along = (key: 'every' | 'any' | 'everyByChance' | 'anyByChance') => curve.map((row) => row[key]);
  return [
    { name: 'in every other seed', colour, x, y: along('every') },
    { name: 'in at least one', colour, dash: '6 3', x, y: along('any') },
    { name: 'in every one by chance', colour: chanceColour, x, y: along('everyByChance') },
    { name: 'in one by chance', colour: chanceColour, dash: '6 3', x, y: along('anyByChance') },
  ];
}

function seedLines({ report }: ReproducibilityDetail, colour: string): LineSeries[] {
  const { points } = report.learning;
  const observed = points.filter((point) => point.observed !== null);
  const fitted = points.filter((point) => point.fitted !== null);
  return [
    ...(fitted.length > 0
      ? [
          {
            name: 'fitted law',
            colour: 'var(--ink-3)',
            dash: '3 3',
            x: fitted.map(({ seeds }) => seeds),
            y: fitted.map((point) => point.fitted ?? NaN),
          },
        ]
      : []),
    // Drawn last, over the law.
    {
      name: 'seeds there are',
      colour,
      x: observed.map(({ seeds }) => seeds),
      y: observed.map((point) => point.observed ?? NaN),
    },
  ];
}
