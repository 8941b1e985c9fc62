'use client';
import { useMemo } from 'react';
import type { SparsityDetail } from '../../../server/client.ts';
import { lineChart, type LineSeries } from '../../charts/lineChart.ts';
import { lineStyle } from '../../charts/lineStyle.ts';
import { useUrlChoice } from '../../client/useUrlState.ts';
import { count, percent, significant } from '../../format/number.ts';
import { pooledBins } from './pooledBins.ts';
import { seriesCsv } from './seriesCsv.ts';
import { ChartSubject } from '../ui/ChartSubject.tsx';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Term } from '../ui/Term.tsx';

const measures = {
  perplexity: { name: 'Perplexity', format: (value: number) => significant(value, 3) },
  accuracy: { name: 'Accuracy', format: (value: number) => percent(value) },
  ece: { name: 'ECE', format: (value: number) => percent(value) },
} as const;
type Measure = keyof typeof measures;
const names = Object.keys(measures) as Measure[];

/** Robustness to token noise, and calibration, of a model with all but its k strongest neurons masked. */
export function RobustnessPanel({ detail, colour }: { detail: SparsityDetail; colour: string }) {
  const [measure, setMeasure] = useUrlChoice('robustness', names, 'perplexity');
  const { name, interventions, layers } = detail.report;
  const points = interventions?.robustness;
  const ks = useMemo(() => [...new Set((points ?? []).map(({ k }) => k))].sort((a, b) => a - b), [points]);
  const neurons = layers[0]?.neurons;
  const byNoise = useMemo(
    () =>
      ks.map((k, index): LineSeries => {
        const own = (points ?? []).filter((point) => point.k === k);
        return {
          name: k === neurons ? 'all neurons' : `top ${k}`,
          ...lineStyle(colour, index, ks.length),
          x: own.map(({ noise }) => noise),
          y: own.map((point) => point[measure] ?? Number.NaN),
        };
      }),
    [points, ks, neurons, colour, measure],
  );
  const reliability = useMemo(
    () =>
      ks.map((k, index): LineSeries => {
        const bins = pooledBins(
          (points ?? []).find((point) => point.k === k && point.reliability)?.reliability ?? [],
        );
        return {
          name: k === neurons ? 'all neurons' : `top ${k}`,
          ...lineStyle(colour, index, ks.length),
          x: bins.map(({ confidence }) => confidence),
          y: bins.map(({ accuracy }) => accuracy),
          notes: bins.map((bin) => `${count(bin.count)} predictions`),
        };
      }),
    [points, ks, neurons, colour],
  );
  if (!points) return null;
  const legend = (
    <Legend items={byNoise.map((line) => ({ name: line.name, colour: line.colour, shape: 'line' }))} />
  );
  const { format } = measures[measure];
  return (
    <Panel
      title={`Robustness of ${name}`}
      note={
        <>
          All but the k strongest neurons of each layer are masked; a share of the input’s tokens is replaced
          by random ones. <Term of="ece" />.
        </>
      }
      actions={
        <Segmented
          label="Measure"
          value={measure}
          options={names.map((value) => ({ value, name: measures[value].name }))}
          change={setMeasure}
        />
      }
    >
      <ChartSubject text={detail.report.model.name} />
      <div className="columns" style={{ '--column': '22rem' } as React.CSSProperties}>
        <ChartFigure
          title={`${measures[measure].name} against token noise`}
          name={`${name}-robustness-${measure}`}
          height={260}
          data={byNoise}
          csv={seriesCsv('noise', measure)}
          draw={(lines, size) =>
            lineChart(lines, {
              ...size,
              label: `${measures[measure].name} against the share of input tokens replaced`,
              x: { label: 'input tokens replaced', format: (value) => percent(value, 0) },
              y: { label: measures[measure].name, format },
              dots: true,
            })
          }
          legend={legend}
        />
        <ChartFigure
          title="Reliability without noise"
          note="Each point stands for a hundred predictions or more."
          name={`${name}-reliability`}
          height={260}
          data={reliability}
          csv={seriesCsv('confidence', 'accuracy')}
          draw={(lines, size) =>
            lineChart(lines, {
              ...size,
              label: 'Accuracy against confidence',
              x: { label: 'confidence', format: (value) => percent(value, 0), domain: [0, 1] },
              y: { label: 'accuracy', format: (value) => percent(value, 0), domain: [0, 1] },
              diagonal: true,
              dots: true,
            })
          }
          legend={legend}
        />
      </div>
    </Panel>
  );
}
