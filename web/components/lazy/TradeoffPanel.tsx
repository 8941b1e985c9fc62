'use client';
import { useMemo } from 'react';
import type { SparsityDetail } from '../../../server/client.ts';
import { lineChart, type LineSeries } from '../../charts/lineChart.ts';
import { useUrlChoice, useUrlState } from '../../client/useUrlState.ts';
import { count, fixed, percent, significant } from '../../format/number.ts';
import { maskingMethod } from './maskingMethod.ts';
import { tradeoffCsv } from './tradeoffCsv.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Term } from '../ui/Term.tsx';

type Interventions = NonNullable<SparsityDetail['report']['interventions']>;
type Measured = SparsityDetail['report'] & { interventions: Interventions };

/** What the horizontal axis may show: the share of masked neurons, or of the multiply-adds that masking saves. */
const gains = {
  sparsity: { name: 'Neurons masked', label: 'share of neurons masked' },
  savedOfMlp: { name: 'MLP saved', label: 'share of the MLPs’ multiply-adds saved' },
  savedOfAll: { name: 'Model saved', label: 'share of the whole model’s multiply-adds saved' },
} as const;
type Gain = keyof typeof gains;
const gainNames = Object.keys(gains) as Gain[];

/** Whose trade-off, and the lines that are left out: their names by commas, which no name has. */
const defaults = { tradeoff: '', hidden: '' };

/** The plot ends at twice the perplexity of the whole model: beyond it a model is of no use. */
const worst = 2;

/** True perplexity against the share of masked neurons: every method on one model, or CETT on all models. */
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
  const [{ tradeoff: chosen, hidden: hiddenList }, change] = useUrlState(defaults);
  const [gain, setGain] = useUrlChoice('gain', gainNames, 'sparsity');
  const hidden = useMemo(() => new Set(hiddenList.split(',').filter(Boolean)), [hiddenList]);
  const shown = measured.find((report) => report.name === chosen) ?? measured[0];
  const series = useMemo(
    () => (chosen === 'models' ? ofModels(measured, colours, gain) : shown ? ofMethods(shown, gain) : []),
    [chosen, measured, shown, colours, gain],
  );
  if (!shown) return null;
  const toggle = (name: string) => {
    const after = new Set(hidden);
    if (!after.delete(name)) after.add(name);
    change({ hidden: [...after].join(',') });
  };
  const options = [
    ...measured.map((report) => ({ value: report.name, name: report.name })),
    ...(measured.length > 1 ? [{ value: 'models', name: 'CETT, all models' }] : []),
  ];
  return (
    <Panel
      title="Perplexity against sparsity"
      note={
        <>
          {chosen === 'models' ? 'All models' : shown.model.name}: each point is a whole forward pass over{' '}
          {count(shown.interventions.tokens)} tokens with neurons masked by one rule, up to twice the model’s
          perplexity. <Term of="tradeoff">The methods</Term>, and{' '}
          <Term of="savedMultiplyAdds">what they save</Term>.
        </>
      }
      actions={
        <>
          {options.length > 1 && (
            <Segmented
              label="Whose trade-off"
              value={chosen === 'models' ? 'models' : shown.name}
              options={options}
              change={(value) => change({ tradeoff: value })}
            />
          )}
          <Segmented
            label="Horizontal axis of the trade-off"
            value={gain}
            options={gainNames.map((value) => ({ value, name: gains[value].name }))}
            change={setGain}
          />
        </>
      }
    >
      <ChartFigure
        bare
        title={`Perplexity against the ${gains[gain].label}`}
        name={`tradeoff-${chosen === 'models' ? 'models' : shown.name}${gain === 'sparsity' ? '' : `-${gain}`}`}
        height={340}
        data={series.filter(({ name }) => !hidden.has(name))}
        csv={() => tradeoffCsv(chosen === 'models' ? measured : [shown])}
        draw={(lines, size) =>
          lineChart(lines, {
            ...size,
            label: `Perplexity, relative to the model with all neurons, against the ${gains[gain].label}`,
            x: { label: gains[gain].label, format: (value) => percent(value, 0) },
            y: {
              label: 'perplexity, relative',
              format: (value) => `${significant(value, 3)}×`,
              domain: [0.98, worst],
            },
            level: { y: 1.01, caption: '+1 %' },
            dots: true,
            names: true,
          })
        }
        legend={<Legend items={legend(series)} hidden={hidden} toggle={toggle} />}
      />
      <PplTable reports={measured} />
    </Panel>
  );
}

function legend(series: readonly LineSeries[]) {
  return series.map(({ name, colour, dash }) => ({ name, colour, dash, shape: 'line' as const }));
}

function ofMethods({ interventions: { tradeoff, perplexity } }: Measured, gain: Gain): LineSeries[] {
  const [none] = tradeoff.filter(({ method }) => method === 'none');
  const curves = new Map<string, Interventions['tradeoff']>();
  for (const point of tradeoff)
    if (point.method !== 'none') {
      const key = `${point.method} ${point.rank ?? ''}`;
      curves.set(key, [...(curves.get(key) ?? []), point]);
    }
  const ranks = [...new Set(tradeoff.flatMap(({ rank }) => rank ?? []))].sort((a, b) => a - b);
  return [...curves.values()].flatMap((points) => {
    const { method, rank } = points[0]!;
    const place = rank === undefined ? undefined : { value: rank, place: ranks.indexOf(rank) };
    const style = maskingMethod(method, place);
    return drawn(style, [...(none ? [none] : []), ...points], perplexity, gain);
  });
}

function ofModels(
  reports: readonly Measured[],
  colours: Readonly<Record<string, string>>,
  gain: Gain,
): LineSeries[] {
  return reports.flatMap(({ name, interventions: { tradeoff, perplexity } }) =>
    drawn(
      { name, colour: colours[name] ?? 'var(--other)' },
      tradeoff.filter(({ method }) => method === 'none' || method === 'cett'),
      perplexity,
      gain,
    ),
  );
}

function drawn(
  style: { name: string; colour: string; dash?: string | undefined },
  points: Interventions['tradeoff'],
  perplexity: number,
  gain: Gain,
): LineSeries[] {
  const within = points
    .map((point) => ({ gain: point[gain], cost: (point.perplexity ?? Infinity) / perplexity }))
    .filter(({ cost }) => cost <= worst)
    .toSorted((a, b) => a.gain - b.gain);
  if (within.length < 2) return [];
  return [{ ...style, x: within.map((p) => p.gain), y: within.map((p) => p.cost) }];
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
