'use client';
import { useMemo, useState } from 'react';
import { useQuery } from '@tanstack/react-query';
import { flowKindNames, flowKinds } from '../../../sae/spec/flowKinds.ts';
import type { Matchings } from '../../../sae/spec/manifests/matchings.ts';
import { matchingMethods, type MatchingMethod } from '../../../sae/spec/matchingMethods.ts';
import { lineChart, type LineSeries } from '../../charts/lineChart.ts';
import { useTRPC } from '../../client/trpc.ts';
import { count, fixed, percent } from '../../format/number.ts';
import { seriesCsv } from '../lazy/seriesCsv.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { Command } from '../ui/Command.tsx';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { Term } from '../ui/Term.tsx';

const colours: Readonly<Record<MatchingMethod, string>> = {
  greedy: 'var(--relu)',
  mutual: 'var(--topk)',
  assignment: 'var(--ink)',
  agreement: 'var(--jumprelu)',
  transport: 'var(--accent)',
  correlation: 'var(--gelu)',
  jaccard: 'var(--batchtopk)',
  stateTransport: 'var(--matryoshka)',
};
/** Those by activations are dashed. */
const dashed: ReadonlySet<MatchingMethod> = new Set(['correlation', 'jaccard', 'stateTransport']);

type By = 'reconstruction' | 'predictions';
type Method = Matchings['methods'][number];

/** Which way to pair features finds those that do the same; read by itself, because it is measured by a command of its own. */
export function MatchingsPanel({ run }: { run: string }) {
  const trpc = useTRPC();
  const detail = useQuery(trpc.runs.matchings.queryOptions({ name: run }));
  return (
    <Loaded query={detail} skeleton={<Skeleton height={320} />}>
      {(found) =>
        found ? (
          <Judged report={found.report} outdated={found.outdated} />
        ) : (
          <Panel title="Is the counterpart the same feature?">
            <p className="small muted" style={{ marginBottom: 'var(--s-2)' }}>
              Eight ways to pair the features of two seeds, judged by putting every feature’s counterpart in
              its place; and which features split or merge.
            </p>
            <Command text={`npx lazyscope matchings ${run}`} />
          </Panel>
        )
      }
    </Loaded>
  );
}

function Judged({ report, outdated }: { report: Matchings; outdated: boolean }) {
  const [by, setBy] = useState<By>('reconstruction');
  const { methods, predictions, seeds, judged, tokens } = report;
  const ordered = useMemo(
    () =>
      methods
        .filter((method) => method[by] !== null)
        .sort((x, y) => (y[by]?.area.value ?? 0) - (x[by]?.area.value ?? 0)),
    [methods, by],
  );
  const lines = useMemo(
    (): LineSeries[] =>
      ordered.map(({ method, ...own }) => ({
        name: matchingMethods[method].name,
        colour: colours[method],
        ...(dashed.has(method) && { dash: '5 3' }),
        x: own[by]!.curve.map((_, at) => at / (own[by]!.curve.length - 1)),
        y: own[by]!.curve,
      })),
    [ordered, by],
  );
  const [best] = ordered;
  return (
    <Panel
      title="Is the counterpart the same feature?"
      note={
        <>
          {best && (
            <>
              What a feature does is recovered best by the counterparts of {matchingMethods[best.method].name}
              .{' '}
            </>
          )}
          {by === 'reconstruction'
            ? `Each counterpart in its feature’s place in the reconstruction: ${count(judged)} features, ${count(tokens)} tokens.`
            : `Each counterpart in its feature’s place in the model’s stream: ${count(predictions?.latents)} features, ${count(predictions?.contexts)} contexts each.`}
        </>
      }
      actions={
        predictions && (
          <Segmented
            label="Judged by"
            value={by}
            options={[
              { value: 'reconstruction', name: 'Reconstruction' },
              { value: 'predictions', name: 'Predictions' },
            ]}
            change={setBy}
          />
        )
      }
    >
      {outdated && (
        <div style={{ marginBottom: 'var(--s-3)' }}>
          <p className="small">Seeds were compared again since. This judges them anew:</p>
          <Command text={`npx lazyscope matchings ${report.run}`} />
        </div>
      )}
      <div className="columns" style={{ '--column': '24rem' } as React.CSSProperties}>
        <ChartFigure
          title="Quality against coverage"
          note="Mean share recovered of the features that a matching is surest of; those without a counterpart count as 0."
          name={`${report.run}-matchings-${by}`}
          csv={seriesCsv('coverage', 'recovered')}
          data={lines}
          height={280}
          draw={(drawn, size) =>
            lineChart(drawn, {
              ...size,
              label: 'Mean share recovered against the share of features, surest first, by matching',
              x: { label: 'share of the features', format: (value) => percent(value, 0), domain: [0, 1] },
              y: { label: 'recovered', format: (value) => percent(value, 0) },
            })
          }
          legend={<Legend items={lines.map(({ name, colour }) => ({ name, colour }))} />}
        />
        <div>
          <DataTable
            caption="Matchings, judged"
            columns={columnsBy[by](seeds.length > 2)}
            rows={ordered}
            rowKey={({ method }) => method}
          />
          <p className="xs muted" style={{ marginTop: 'var(--s-2)' }}>
            {seeds.length > 2
              ? '± is half of the 95 % interval by bootstrap over seeds.'
              : 'An interval over seeds takes three of them.'}{' '}
            {report.negatives.map(({ kind, ...own }, at) => (
              <span key={kind}>
                {at > 0 && ', '}
                {kind === 'secondBest' ? 'The second nearest latent recovers ' : 'one as frequent '}
                {percent(own[by], 0)}
              </span>
            ))}
            .
          </p>
        </div>
      </div>
      <h3 style={{ marginTop: 'var(--s-4)' }}>What became of the features</h3>
      <DataTable
        caption="What became of the features"
        columns={flowColumns(report.run)}
        rows={report.flows}
        rowKey={({ to }) => to}
      />
      <p className="xs muted" style={{ marginTop: 'var(--s-2)' }}>
        By the mass of the <Term of="transport" /> between decoder rows; each feature’s page shows where it
        goes.
      </p>
    </Panel>
  );
}

const halfWidth = (interval: readonly [number, number] | null) =>
  interval ? ` ± ${fixed((interval[1] - interval[0]) / 2, 2)}` : '';

const nameColumn: Column<Method> = {
  key: 'method',
  header: 'Matching',
  render: ({ method }) => (
    <span
      title={matchingMethods[method].doc}
      style={{ display: 'inline-flex', alignItems: 'center', gap: 'var(--s-2)' }}
    >
      <span
        aria-hidden="true"
        style={{
          flex: 'none',
          width: '0.6rem',
          height: '0.6rem',
          borderRadius: '2px',
          background: colours[method],
        }}
      />
      {matchingMethods[method].name}
    </span>
  ),
};

const area = (by: By, intervals: boolean): Column<Method> => ({
  key: 'area',
  header: <Term of="qualityCoverage" />,
  numeric: true,
  render: (method) =>
    `${fixed(method[by]?.area.value ?? null, 2)}${intervals ? halfWidth(method[by]?.area.interval ?? null) : ''}`,
});

const columnsBy: Readonly<Record<By, (intervals: boolean) => Column<Method>[]>> = {
  reconstruction: (intervals) => [
    nameColumn,
    {
      key: 'coverage',
      header: 'Paired',
      numeric: true,
      from: 480,
      render: ({ coverage }) => percent(coverage, 0),
    },
    area('reconstruction', intervals),
    {
      key: 'recovered',
      header: 'Recovered',
      numeric: true,
      render: ({ reconstruction: { recovered } }) => percent(recovered, 0),
    },
    {
      key: 'rare',
      header: 'Rare third',
      numeric: true,
      from: 480,
      render: ({ reconstruction: { strata } }) => percent(strata[0]?.quality ?? null, 0),
    },
    {
      key: 'frequent',
      header: 'Frequent third',
      numeric: true,
      from: 480,
      render: ({ reconstruction: { strata } }) => percent(strata[2]?.quality ?? null, 0),
    },
  ],
  predictions: (intervals) => [
    nameColumn,
    area('predictions', intervals),
    {
      key: 'recovered',
      header: 'Recovered',
      numeric: true,
      render: ({ predictions: own }) => percent(own?.recovered ?? null, 0),
    },
    {
      key: 'fingerprint',
      header: <Term of="fingerprint" />,
      numeric: true,
      from: 480,
      render: ({ predictions: own }) => fixed(own?.fingerprint?.value ?? null, 2),
    },
    {
      key: 'beats',
      header: 'Beats second',
      numeric: true,
      from: 480,
      render: ({ predictions: own }) => percent(own?.beatsSecondBest ?? null, 0),
    },
  ],
};

function flowColumns(run: string): Column<Matchings['flows'][number]>[] {
  return [
    { key: 'to', header: 'In', render: ({ to }) => (to === run ? 'other seeds' : to) },
    ...flowKindNames.map((kind): Column<Matchings['flows'][number]> => ({
      key: kind,
      header: flowKinds[kind].name,
      numeric: true,
      ...(kind === 'scattered' || kind === 'absorbed' ? { from: 480 as const } : {}),
      render: ({ kinds }) => {
        const all = flowKindNames.reduce((total, name) => total + (kinds[name] ?? 0), 0);
        return percent((kinds[kind] ?? 0) / all, 1);
      },
    })),
  ];
}
