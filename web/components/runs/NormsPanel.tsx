'use client';
import { useQuery } from '@tanstack/react-query';
import { hooksIn } from '../../../sae/spec/jointHook.ts';
import type { CaptureNorms, RunDetail } from '../../../server/client.ts';
import { lineChart, type LineSeries } from '../../charts/lineChart.ts';
import { useTRPC } from '../../client/trpc.ts';
import { compact, count, figures, percent, significant } from '../../format/number.ts';
import { seriesCsv } from '../lazy/seriesCsv.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { Stats } from '../ui/Stat.tsx';
import { TokenRow } from '../ui/TokenRow.tsx';

type Report = NonNullable<CaptureNorms['report']>;

/** How long the activations are that a run was trained on, and what was left out for being too long: of crosscoders at each hook point. */
export function NormsPanel({ detail }: { detail: RunDetail }) {
  const hooks = hooksIn(detail.manifest.config.hook);
  return hooks.map((hook) => (
    <NormsAt
      key={hook}
      detail={detail}
      hook={hook}
      title={`How long the activations are${hooks.length > 1 ? ` at ${hook}` : ''}`}
    />
  ));
}

function NormsAt({ detail, hook, title }: { detail: RunDetail; hook: string; title: string }) {
  const trpc = useTRPC();
  const { capture } = detail.manifest.config;
  const norms = useQuery(trpc.captures.norms.queryOptions({ name: capture, hook }, { retry: false }));
  const { exclusion } = detail.manifest;
  return (
    <Panel
      title={title}
      note={
        <>
          Norms of the rows of capture <code>{capture}</code> at <code>{hook}</code>.{' '}
          {exclusion && exclusion.rows > 0
            ? `This run was trained without ${count(exclusion.rows)} of them (${exclusion.rule}).`
            : 'This run was trained on all of them.'}
        </>
      }
    >
      <Loaded query={norms} skeleton={<Skeleton height={160} />}>
        {(data) =>
          data.report ? (
            <Norms norms={data} report={data.report} name={`${capture}-${hook}`} />
          ) : (
            <p className="small muted">
              This capture did not measure them: run <code>npx lazyscope capture</code> again with the same
              options.
            </p>
          )
        }
      </Loaded>
    </Panel>
  );
}

const quantileColumns: Column<{ share: number; norm: number; median: number }>[] = [
  {
    key: 'share',
    header: 'Share of rows',
    numeric: true,
    render: ({ share }) => percent(share, share === 0.999 ? 1 : 0),
  },
  { key: 'norm', header: 'Norm up to', numeric: true, render: ({ norm }) => significant(norm) },
  {
    key: 'median',
    header: 'Times the median',
    numeric: true,
    render: ({ norm, median }) => figures(norm / median),
  },
];

function Norms({ norms, report, name }: { norms: CaptureNorms; report: Report; name: string }) {
  const texts = new Map(norms.texts.map(({ id, text }) => [id, text]));
  const named = (tokens: readonly { token: number }[]) =>
    tokens.map(({ token }) => ({ id: token, text: texts.get(token) ?? `#${token}` }));
  const { quantiles, medianByPosition, longestTokens } = report;
  return (
    <div className="stack">
      <Stats
        items={[
          { label: 'median norm', value: significant(report.median) },
          { label: 'longest', value: significant(report.largest) },
          {
            label: `rows longer than ${report.factor} × the median`,
            value: count(report.rows),
            note: `of ${count(norms.rows)}`,
          },
          {
            label: 'their share of the variance',
            value: report.varianceShare === null ? '–' : percent(report.varianceShare),
          },
        ]}
      />
      {report.rows > 0 && (
        <p className="small">
          They stand at position{report.positions.length > 1 && 's'}{' '}
          {report.positions.map(({ position, rows }) => `${position} (${count(rows)})`).join(', ')}, on tokens
          such as <TokenRow tokens={named(report.tokens)} most={8} />
        </p>
      )}
      {quantiles && medianByPosition ? (
        <div className="columns" style={{ '--column': '20rem' } as React.CSSProperties}>
          <DataTable
            caption="Quantiles of the norms"
            columns={quantileColumns}
            rows={[...quantiles, { share: 1, norm: report.largest }].map((row) => ({
              ...row,
              median: report.median,
            }))}
            rowKey={({ share }) => String(share)}
          />
          <ByPosition medians={medianByPosition} first={norms.firstPosition} name={name} />
        </div>
      ) : (
        <p className="small muted">
          The capture is older than quantiles: running <code>npx lazyscope capture</code> again with the same
          options adds them and captures nothing anew.
        </p>
      )}
      {longestTokens && longestTokens.length > 0 && (
        <p className="small">
          Tokens with the longest median, of those with 8 rows or more:{' '}
          <TokenRow tokens={named(longestTokens)} most={8} />{' '}
          <span className="faint">
            from {significant(longestTokens[0].median)} to {significant(longestTokens.at(-1)?.median)}
          </span>
        </p>
      )}
    </div>
  );
}

function ByPosition({
  medians,
  first,
  name,
}: {
  medians: readonly (number | null)[];
  first: number;
  name: string;
}) {
  const line: LineSeries = {
    name: 'median norm',
    colour: 'var(--accent)',
    x: medians.map((_, at) => first + at),
    y: medians.map((median) => median ?? Number.NaN),
  };
  const largest = line.y.reduce((most, value) => (value > most ? value : most), 0);
  return (
    <ChartFigure
      bare
      title="Median norm by position in the context"
      name={`${name}-norms-by-position`}
      height={220}
      data={[line]}
      csv={seriesCsv('position', 'medianNorm')}
      draw={(lines, size) =>
        lineChart(lines, {
          ...size,
          label: 'Median norm by position in the context',
          x: { label: 'position (tokens)', format: compact },
          y: { label: 'median norm', format: compact, domain: [0, largest * 1.08 || 1] },
        })
      }
    />
  );
}
