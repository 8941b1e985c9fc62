'use client';
import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { useUrlState } from '../../client/useUrlState.ts';
import { architectureName } from '../../charts/architectureStyle.ts';
import { sharedHeadlines } from './sharedSummary.ts';
import { paths } from '../../client/paths.ts';
import { ComparisonsTable } from './ComparisonsTable.tsx';
import { EmptyState } from '../ui/EmptyState.tsx';
import { LeftOutLine } from '../ui/LeftOutLine.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { OrphansPanel } from './OrphansPanel.tsx';
import { PageHeader } from '../ui/PageHeader.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { SharedMatrix } from './SharedMatrix.tsx';
import { SharedRuns } from './SharedRuns.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { StabilityByLayer } from '../runs/StabilityByLayer.tsx';
import { StabilityPanel } from '../runs/StabilityPanel.tsx';

/** A run has orphans of its own: choosing another begins them anew. */
const defaults = { run: '', orphanSeed: '', orphanOffset: '0' };
/** Up to this many runs are shown at once; if there are more, one of them is chosen. */
const sideBySide = 6;

export function ComparisonsView() {
  const trpc = useTRPC();
  const [state, change] = useUrlState(defaults);
  const comparisons = useQuery(trpc.comparisons.list.queryOptions());
  return (
    <>
      <PageHeader
        title="Compare"
        actions={
          <Link href={paths.startJob('compare')} className="button">
            Compare two dictionaries
          </Link>
        }
      >
        Which features come back when only the seed changes, and which belong to one seed alone.
      </PageHeader>
      <LeftOutLine of={['comparisons']} />
      <Loaded query={comparisons} skeleton={<Skeleton height={420} />}>
        {(list) => {
          const headlines = sharedHeadlines(list);
          const run = headlines.find((one) => one.run === state.run) ?? headlines[0];
          if (list.length === 0)
            return (
              <EmptyState title="Nothing compared yet" command="npx lazyscope compare RUN">
                It matches the latents of every pair of a run’s seeds one to one, by their decoder rows and by
                their encoder rows, and says which agree.
              </EmptyState>
            );
          return (
            <>
              {run && headlines.length > sideBySide && (
                <>
                  <SharedRuns
                    headlines={headlines}
                    chosen={run.run}
                    choose={(name) => change({ ...defaults, run: name })}
                  />
                  <SharedMatrix headline={run} />
                </>
              )}
              {headlines.length > 0 && headlines.length <= sideBySide && (
                <div className="columns level" style={{ '--column': '18rem' } as React.CSSProperties}>
                  {headlines.map((headline) => (
                    <SharedMatrix key={headline.run} headline={headline} />
                  ))}
                </div>
              )}
              {run && (
                <>
                  {headlines.length > 1 && headlines.length <= sideBySide && (
                    <Segmented
                      label="Run"
                      value={run.run}
                      options={headlines.map((one) => ({
                        value: one.run,
                        name: `${architectureName(one.architecture)} · ${one.run}`,
                      }))}
                      change={(value) => change({ ...defaults, run: value })}
                    />
                  )}
                  <StabilityPanel key={run.run} runName={run.run} />
                  <OrphansPanel key={`orphans ${run.run}`} run={run.run} seeds={seedsOf(run.pairs)} />
                </>
              )}
              <StabilityByLayer headlines={headlines} />
              <ComparisonsTable comparisons={list} />
            </>
          );
        }}
      </Loaded>
    </>
  );
}

function seedsOf(pairs: readonly { seeds: [number, number] }[]): number[] {
  return [...new Set(pairs.flatMap((pair) => pair.seeds))].sort((a, b) => a - b);
}
