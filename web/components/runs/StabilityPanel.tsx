'use client';
import { useMemo } from 'react';
import { useQuery } from '@tanstack/react-query';
import type { Stability } from '../../../server/client.ts';
import { lineChart } from '../../charts/lineChart.ts';
import { stabilityHistogram } from '../../charts/stabilityHistogram.ts';
import { uniqueCurve } from '../../charts/uniqueCurve.ts';
import { csvText } from '../../client/saveCsv.ts';
import { useTRPC } from '../../client/trpc.ts';
import { architectureColour } from '../../charts/architectureStyle.ts';
import { fixed, percent } from '../../format/number.ts';
import { seriesCsv } from '../lazy/seriesCsv.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { EmptyState } from '../ui/EmptyState.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Panel } from '../ui/Panel.tsx';
import { RunSubject } from '../ui/RunSubject.tsx';
import { StabilityCloud } from './StabilityCloud.tsx';
import { Term } from '../ui/Term.tsx';

/** Stability over all seeds of a run: how many latents are shared with how many seeds, and how that varies with density and activation. */
export function StabilityPanel({ runName }: { runName: string }) {
  const trpc = useTRPC();
  const stability = useQuery(trpc.comparisons.stability.queryOptions({ runName }));
  const runs = useQuery(trpc.runs.list.queryOptions());
  const architecture = runs.data?.find((run) => run.name === runName)?.architecture ?? '';
  return (
    <Panel
      title="What comes back in other seeds"
      note={
        <>
          <Term of="stability" /> of each latent of <strong>{runName}</strong>, all seeds pooled
          {stability.data?.threshold ? `, at a cosine of ${stability.data.threshold}` : ''}.
        </>
      }
    >
      <RunSubject runs={[runName]} />
      <Loaded query={stability}>
        {(data) =>
          data.pairs.length === 0 ? (
            <EmptyState
              title="These seeds are not compared yet"
              command={`npx lazyscope compare ${runName}`}
            />
          ) : (
            <StabilityCharts data={data} colour={architectureColour(architecture)} />
          )
        }
      </Loaded>
    </Panel>
  );
}

/** Both quantities share an axis: the rank of a latent within each quantity. */
function TrendFigure({ data, colour }: { data: Stability; colour: string }) {
  const lines = useMemo(
    () => [
      trendLine('density', data.trends.density, { colour }),
      trendLine('strongest activation', data.trends.maxActivation, { colour: 'var(--ink-2)', dash: '6 3' }),
    ],
    [data, colour],
  );
  return (
    <ChartFigure
      title="Does stability go with density or strength?"
      note={lines.map((line) => `${line.name}: ρ = ${fixed(line.rankCorrelation, 2)}`).join(' · ')}
      name={`${data.runName}-stability-trends`}
      csv={seriesCsv('rank', 'mean stability')}
      data={lines}
      draw={(drawn, size) =>
        lineChart(drawn, {
          ...size,
          label: 'Mean stability of latents in ten groups by density and by strength',
          x: {
            label: 'from rarest or weakest to most',
            format: (value) => percent(value, 0),
            domain: [0, 1],
          },
          y: { label: 'mean stability', format: (value) => percent(value, 0) },
        })
      }
      legend={<Legend items={lines.map(({ name, colour: ink, dash }) => ({ name, colour: ink, dash }))} />}
    />
  );
}

function trendLine(
  name: string,
  trend: Stability['trends']['density'],
  style: { colour: string; dash?: string },
) {
  return {
    name,
    ...style,
    rankCorrelation: trend.rankCorrelation,
    x: trend.groups.map((_, group) => (group + 0.5) / trend.groups.length),
    y: trend.groups.map((group) => group.stability),
  };
}

function StabilityCharts({ data, colour }: { data: Stability; colour: string }) {
  const others = Math.max(1, data.seeds.length - 1);
  const indexed = data.trends.density.groups.length > 0;
  return (
    <div className="columns" style={{ '--column': '20rem' } as React.CSSProperties}>
      <ChartFigure
        title="Latents by seeds that share them"
        name={`${data.runName}-stability`}
        csv={stabilityCsv}
        data={data.histogram}
        draw={(bars, size) => stabilityHistogram(bars, { ...size, otherSeeds: others, colour })}
      />
      {indexed && (
        <StabilityCloud
          runName={data.runName}
          version={data.pairs.map((pair) => pair.comparison).join(' ')}
          colour={colour}
        />
      )}
      {indexed && <TrendFigure data={data} colour={colour} />}
      {data.unique.length > 1 && (
        <ChartFigure
          title="Distinct latents found by n seeds"
          note="Dashed: if no two seeds shared any."
          name={`${data.runName}-unique`}
          csv={(rows) =>
            csvText(
              ['seeds', 'distinct latents', 'latents'],
              rows.map(({ seeds, unique, total }) => [seeds, unique, total]),
            )
          }
          data={data.unique}
          draw={(drawn, size) => uniqueCurve(drawn, { ...size, colour })}
        />
      )}
    </div>
  );
}

/** Latents by the share of other seeds that have them. */
export function stabilityCsv(bars: readonly { stability: number; latents: number }[]): string {
  return csvText(
    ['stability', 'latents'],
    bars.map(({ stability, latents }) => [stability, latents]),
  );
}
