'use client';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { EmergenceCurve } from '../../../server/client.ts';
import { saveCsv } from '../../client/saveCsv.ts';
import { lineChart, type LineSeries } from '../../charts/lineChart.ts';
import { useTRPC } from '../../client/trpc.ts';
import { architectureColour, architectureName } from '../../charts/architectureStyle.ts';
import { emergenceCsv, lawsCsv } from './emergenceCsv.ts';
import { compact, count, fixed, percent, significant } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { useUrlChoice } from '../../client/useUrlState.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { EmptyState } from '../ui/EmptyState.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { ChartSubject } from '../ui/ChartSubject.tsx';
import { PageHeader } from '../ui/PageHeader.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { Term } from '../ui/Term.tsx';

const measures = {
  activationRatio: 'Active',
  ratioAt: 'Above 0.01',
  deadRate: 'Dead',
  crossEntropy: 'Loss',
} as const;
type Measure = keyof typeof measures;
const measureNames = Object.keys(measures) as Measure[];

/** How activation sparsity emerges while a model trains. */
export function EmergenceView() {
  const trpc = useTRPC();
  const curves = useQuery(trpc.sparsity.emergence.queryOptions());
  return (
    <>
      <PageHeader title="Emergence" crumbs={[{ name: 'Lazy neurons', href: paths.lazy() }]}>
        How activation sparsity changes while a model trains, and the law fitted to it.
      </PageHeader>
      <Loaded query={curves} skeleton={<Skeleton height={480} />}>
        {(all) =>
          all.length === 0 ? (
            <EmptyState
              title="No training measured yet"
              command="npx lazyscope lm train --text FILE --name NAME --emergence 16"
            >
              It trains a small model and measures its neurons sixteen times on the way.
            </EmptyState>
          ) : (
            <>
              <EmergencePanel curves={all} />
              <Panel
                title="Laws"
                note={
                  <>
                    <Term of="law">Fitted</Term> to the activation ratio where zeros are exact, and to the
                    share above 0.01 where they are not; D in units of the whole training.
                  </>
                }
                actions={
                  <button
                    type="button"
                    className="button"
                    onClick={() => saveCsv(lawsCsv(all), 'emergence-laws')}
                  >
                    Save as CSV
                  </button>
                }
                flush
              >
                <DataTable
                  caption="Laws of emergence, by model"
                  columns={lawColumns}
                  rows={all}
                  rowKey={(row) => row.model}
                />
              </Panel>
            </>
          )
        }
      </Loaded>
    </>
  );
}

function EmergencePanel({ curves }: { curves: readonly EmergenceCurve[] }) {
  const [measure, setMeasure] = useUrlChoice('measure', measureNames, 'activationRatio');
  const series = useMemo(() => {
    const seen = new Map<string, number>();
    return curves.map((curve): LineSeries => {
      const before = seen.get(curve.activation) ?? 0;
      seen.set(curve.activation, before + 1);
      const after = curve.tokens.flatMap((d, i) => (d > 0 ? [i] : []));
      return {
        name: curve.model,
        colour: architectureColour(curve.activation),
        dash: [undefined, '5 3', '2 3', '8 3 2 3'][before % 4],
        x: after.map((i) => curve.tokens[i]!),
        y: after.map((i) => valueOf(curve, measure, i)),
      };
    });
  }, [curves, measure]);
  return (
    <Panel
      title="Against tokens seen"
      note="On held-out text; a line a model, the mean over its layers."
      actions={
        <Segmented
          label="Measure"
          value={measure}
          options={measureNames.map((value) => ({ value, name: measures[value] }))}
          change={setMeasure}
        />
      }
    >
      <ChartSubject text={curves.map(({ model }) => model).join(', ')} />
      <ChartFigure
        bare
        title={`${measures[measure]} against tokens seen`}
        name={`emergence-${measure}`}
        height={360}
        data={series}
        csv={() => emergenceCsv(curves)}
        draw={(lines, size) =>
          lineChart(lines, {
            ...size,
            label: `${measures[measure]} against tokens seen in training`,
            x: { label: 'tokens seen (log)', log: true, format: compact },
            y: {
              label: measures[measure].toLowerCase(),
              format: (value) => (measure === 'crossEntropy' ? significant(value, 3) : percent(value, 0)),
            },
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

function valueOf(curve: EmergenceCurve, measure: Measure, at: number): number {
  if (measure === 'crossEntropy') return curve.crossEntropy[at]!;
  const layers = curve[measure][at]!;
  return layers.reduce((sum, value) => sum + value, 0) / layers.length;
}

/** A term of a printed sum, with its sign as the operator before it. */
const term = (value: number) => ` ${value < 0 ? '−' : '+'} ${significant(Math.abs(value))}`;

const lawColumns: Column<EmergenceCurve>[] = [
  { key: 'model', header: 'Model', render: (row) => row.model },
  {
    key: 'activation',
    header: 'Activation',
    from: 480,
    render: (row) => `${architectureName(row.activation)}${row.gated ? ', gated' : ''}`,
  },
  {
    key: 'parameters',
    header: 'Parameters',
    numeric: true,
    from: 640,
    render: (row) => count(row.parameters),
  },
  {
    key: 'end',
    header: 'Active at the end',
    numeric: true,
    render: (row) => percent(valueOf(row, 'activationRatio', row.tokens.length - 1)),
  },
  {
    key: 'law',
    header: 'Law',
    from: 900,
    render: (row) =>
      row.law === null
        ? '–'
        : row.law.form === 'power'
          ? `${significant(row.law.limit)}${term(-row.law.c)}/D^${significant(row.law.alpha)}`
          : `exp(${significant(-row.law.c)}·D^${significant(row.law.alpha)}${term(row.law.b)})${term(row.law.limit)}`,
  },
  {
    key: 'limit',
    header: 'Limit',
    numeric: true,
    render: (row) => percent(row.law?.limit),
  },
  { key: 'r2', header: 'R²', numeric: true, from: 480, render: (row) => fixed(row.law?.r2) },
];
