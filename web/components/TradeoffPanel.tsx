'use client';
import { useMemo, useState } from 'react';
import type { SparsityDetail } from '../../server/client.ts';
import { lineChart, type LineSeries } from '../charts/lineChart.ts';
import { count, fixed, percent, significant } from '../format/number.ts';
import { restingMethod } from '../format/restingMethod.ts';
import { seriesCsv } from '../format/seriesCsv.ts';
import { ChartFigure } from './ChartFigure.tsx';
import { DataTable, type Column } from './DataTable.tsx';
import { Legend } from './Legend.tsx';
import { Panel } from './Panel.tsx';
import { Segmented } from './Segmented.tsx';
import { Term } from './Term.tsx';

type Interventions = NonNullable<SparsityDetail['report']['interventions']>;
type Measured = SparsityDetail['report'] & { interventions: Interventions };

/** Beyond twice the perplexity a model is of no use, and the curves leave the plot. */
const worst = 2;

/** True perplexity against the share of resting neurons: all methods of one model, or one method of all models. */
export function TradeoffPanel({
  reports,
  colours,
}: {
  reports: readonly SparsityDetail[];
  /** By report name. */
  colours: Readonly<Record<string, string>>;
}) {
  const measured = useMemo(
    () =>
      reports.flatMap(({ report }): Measured[] =>
        report.interventions ? [{ ...report, interventions: report.interventions }] : [],
      ),
    [reports],
  );
  const [chosen, setChosen] = useState('');
  const shown = measured.find((report) => report.name === chosen) ?? measured[0];
  const series = useMemo(
    () => (chosen === 'models' ? ofModels(measured, colours) : shown ? ofMethods(shown) : []),
    [chosen, measured, shown, colours],
  );
  if (!shown) return null;
  const options = [
    ...measured.map((report) => ({ value: report.name, name: report.name })),
    ...(measured.length > 1 ? [{ value: 'models', name: 'CETT, all models' }] : []),
  ];
  return (
    <Panel
      title="Perplexity against sparsity"
      note={
        <>
          Each point is a whole forward pass over {count(shown.interventions.tokens)} tokens with neurons
          resting by one rule, up to twice the model’s perplexity. <Term of="tradeoff">The methods</Term>.
        </>
      }
      actions={
        options.length > 1 && (
          <Segmented
            label="Whose trade-off"
            value={chosen === 'models' ? 'models' : shown.name}
            options={options}
            change={setChosen}
          />
        )
      }
    >
      <ChartFigure
        bare
        title="Perplexity against the share of resting neurons"
        name={`tradeoff-${chosen === 'models' ? 'models' : shown.name}`}
        height={340}
        data={series}
        csv={seriesCsv('sparsity', 'perplexity over the whole model’s')}
        draw={(lines, size) =>
          lineChart(lines, {
            ...size,
            label: 'Perplexity, relative to the model with all neurons, against the share of resting neurons',
            x: { label: 'share of neurons resting', format: (value) => percent(value, 0) },
            y: {
              label: 'perplexity, relative',
              format: (value) => `${significant(value, 3)}×`,
              domain: [0.98, worst],
            },
            level: { y: 1.01, caption: '+1 %' },
            dots: true,
          })
        }
        legend={<Legend items={legend(series)} />}
      />
      <PplTable reports={measured} />
    </Panel>
  );
}

function legend(series: readonly LineSeries[]) {
  return series.map(({ name, colour, dash }) => ({ name, colour, dash, shape: 'line' as const }));
}

function ofMethods({ interventions: { tradeoff, perplexity } }: Measured): LineSeries[] {
  const [none] = tradeoff.filter(({ method }) => method === 'none');
  const curves = new Map<string, Interventions['tradeoff']>();
  for (const point of tradeoff)
    if (point.method !== 'none') {
      const key = `${point.method} ${point.rank ?? ''}`;
      curves.set(key, [...(curves.get(key) ?? []), point]);
    }
  return [...curves.values()].flatMap((points) => {
    const { method, rank } = points[0]!;
    return drawn({ ...restingMethod(method, rank) }, [...(none ? [none] : []), ...points], perplexity);
  });
}

function ofModels(reports: readonly Measured[], colours: Readonly<Record<string, string>>): LineSeries[] {
  return reports.flatMap(({ name, interventions: { tradeoff, perplexity } }) =>
    drawn(
      { name, colour: colours[name] ?? 'var(--other)' },
      tradeoff.filter(({ method }) => method === 'none' || method === 'cett'),
      perplexity,
    ),
  );
}

function drawn(
  style: { name: string; colour: string; dash?: string | undefined },
  points: Interventions['tradeoff'],
  perplexity: number,
): LineSeries[] {
  const within = points
    .filter((point) => point.perplexity <= worst * perplexity)
    .toSorted((a, b) => a.sparsity - b.sparsity);
  if (within.length < 2) return [];
  return [{ ...style, x: within.map((p) => p.sparsity), y: within.map((p) => p.perplexity / perplexity) }];
}

interface PplRow {
  report: string;
  p: number;
  cett: number;
  ratio: number;
  perplexity: number;
}

function PplTable({ reports }: { reports: readonly Measured[] }) {
  const rows = reports.flatMap(({ name, interventions }) =>
    interventions.pplP.map((point): PplRow => ({ report: name, ...point })),
  );
  const columns: Column<PplRow>[] = [
    { key: 'report', header: 'Report', render: (row) => row.report },
    { key: 'p', header: <Term of="pplP">PPL-p %</Term>, numeric: true, render: (row) => `+${row.p} %` },
    { key: 'ratio', header: 'Active', numeric: true, render: (row) => percent(row.ratio) },
    { key: 'cett', header: <Term of="cett">CETT</Term>, numeric: true, render: (row) => fixed(row.cett) },
    {
      key: 'perplexity',
      header: 'Perplexity',
      numeric: true,
      from: 480,
      render: (row) => fixed(row.perplexity, 2),
    },
  ];
  return (
    <DataTable
      spread
      caption="Neurons that must stay active for perplexity to rise by at most p percent"
      columns={columns}
      rows={rows}
      rowKey={(row) => `${row.report} ${row.p}`}
    />
  );
}
