'use client';
import Link from 'next/link';
import { useMemo } from 'react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { useUrlState } from '../../client/useUrlState.ts';
import { paths } from '../../client/paths.ts';
import { architectureColour } from '../../charts/architectureStyle.ts';
import { NeuronAlignmentPanel } from './NeuronAlignmentPanel.tsx';
import { CettPanel } from './CettPanel.tsx';
import { DepthPanel } from './DepthPanel.tsx';
import { EmptyState } from '../ui/EmptyState.tsx';
import { FrequencyPanel } from './FrequencyPanel.tsx';
import { LayerMetricPanel } from './LayerMetricPanel.tsx';
import { LayersPanel } from './LayersPanel.tsx';
import { LeftOutLine } from '../ui/LeftOutLine.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { ChartSubject } from '../ui/ChartSubject.tsx';
import { PageHeader } from '../ui/PageHeader.tsx';
import { PositionPanel } from './PositionPanel.tsx';
import { ReportChoice } from './ReportChoice.tsx';
import { RobustnessPanel } from './RobustnessPanel.tsx';
import { TradeoffPanel } from './TradeoffPanel.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';

const defaults = { reports: '', layer: 'all', metric: '' };

export function LazyView() {
  const trpc = useTRPC();
  const [state, change] = useUrlState(defaults);
  const list = useQuery(trpc.sparsity.list.queryOptions());
  const names = useMemo(() => {
    const known = (list.data ?? []).map((report) => report.name);
    const asked = state.reports.split(',').filter((name) => known.includes(name));
    return asked.length ? asked : known.slice(0, 2);
  }, [list.data, state.reports]);
  const details = useQuery(
    trpc.sparsity.compare.queryOptions(
      { names },
      { enabled: names.length > 0, placeholderData: keepPreviousData },
    ),
  );
  const colours = useMemo(
    () => reportColours((list.data ?? []).filter((report) => names.includes(report.name))),
    [list.data, names],
  );
  return (
    <>
      <PageHeader
        title="Lazy neurons"
        actions={
          <Link href={paths.emergence()} className="button">
            Emergence in training
          </Link>
        }
      >
        How few neurons of each MLP are active on a token, and what masking the others costs.
      </PageHeader>
      <LeftOutLine of={['sparsityReports']} />
      <Loaded query={list} skeleton={<Skeleton height={420} />}>
        {(all) =>
          all.length === 0 ? (
            <EmptyState
              title="No model measured yet"
              command="npx lazyscope sparsity --model MODEL --text dataset:moby-dick"
            >
              It runs a model over some text and counts, for each neuron of each layer, the tokens on which it
              is active.
            </EmptyState>
          ) : (
            <>
              <ReportChoice
                reports={all}
                chosen={names}
                change={(chosen) => change({ reports: chosen.join(',') })}
              />
              <Loaded query={details} skeleton={<Skeleton height={600} />}>
                {(reports) => (
                  <>
                    <ChartSubject
                      text={[...new Set(reports.map(({ report }) => report.model.name))].join(', ')}
                    />
                    <div className="columns" style={{ '--column': '30rem' } as React.CSSProperties}>
                      {reports.map((detail) => (
                        <LayersPanel key={detail.report.name} detail={detail} />
                      ))}
                    </div>
                    <LayerMetricPanel
                      reports={reports}
                      colours={colours}
                      metric={state.metric}
                      change={(metric) => change({ metric })}
                    />
                    <FrequencyPanel
                      reports={reports}
                      colours={colours}
                      layer={state.layer}
                      change={(layer) => change({ layer })}
                    />
                    <TradeoffPanel reports={reports} colours={colours} />
                    <CettPanel reports={reports} colours={colours} />
                    {reports.map((detail) => (
                      <RobustnessPanel
                        key={detail.report.name}
                        detail={detail}
                        colour={colours[detail.report.name] ?? 'var(--other)'}
                      />
                    ))}
                    <NeuronAlignmentPanel reports={reports} />
                    <DepthPanel reports={reports} colours={colours} />
                    <PositionPanel reports={reports} colours={colours} />
                  </>
                )}
              </Loaded>
            </>
          )
        }
      </Loaded>
    </>
  );
}

/** A report has the colour of its activation function; two reports of one activation function differ in shade. */
function reportColours(reports: readonly { name: string; activation: string }[]): Record<string, string> {
  const seen: Record<string, number> = {};
  return Object.fromEntries(
    reports.map(({ name, activation }) => {
      const before = seen[activation] ?? 0;
      seen[activation] = before + 1;
      const colour = architectureColour(activation);
      return [
        name,
        before === 0 ? colour : `color-mix(in oklab, ${colour}, var(--ink) ${Math.min(70, before * 35)}%)`,
      ];
    }),
  );
}
