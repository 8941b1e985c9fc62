'use client';
import Link from 'next/link';
import { useMemo } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { isActive, useJobs } from '../../client/useJobs.ts';
import { useUrlState } from '../../client/useUrlState.ts';
import { findRows } from '../ui/findRows.ts';
import { count } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { EmptyState } from '../ui/EmptyState.tsx';
import { ActiveJobs } from '../jobs/ActiveJobs.tsx';
import { LeftOutLine } from '../ui/LeftOutLine.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { PageHeader } from '../ui/PageHeader.tsx';
import { Panel } from '../ui/Panel.tsx';
import { ParetoPanel } from './ParetoPanel.tsx';
import { RunsTable } from './RunsTable.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { architectureName } from '../../charts/architectureStyle.ts';

const defaults = { architecture: 'all', find: '', sort: 'createdAt', order: 'desc' };

export function RunsView() {
  const trpc = useTRPC();
  const [state, change] = useUrlState(defaults);
  const { jobs } = useJobs();
  const training = (jobs ?? []).filter((job) => isActive(job) && job.kind === 'train');
  const runs = useQuery(
    trpc.runs.list.queryOptions(undefined, {
      // A run is listed once its job has begun to write it, which may be after the list was read.
      refetchInterval: (query) =>
        training.length > 0 || query.state.data?.some((run) => run.status === 'training') ? 3_000 : false,
    }),
  );
  const shown = useMemo(() => {
    const ofArchitecture = (runs.data ?? []).filter(
      (run) => state.architecture === 'all' || run.architecture === state.architecture,
    );
    return findRows(
      ofArchitecture,
      state.find,
      (run) => `${run.name} ${run.hook} ${run.model ?? ''} ${run.capture}`,
    );
  }, [runs.data, state.architecture, state.find]);
  const architectures = [...new Set((runs.data ?? []).map((run) => run.architecture))];

  return (
    <>
      <PageHeader
        title="Runs"
        actions={
          <Link href={paths.startJob('train')} className="button">
            Train a run
          </Link>
        }
      >
        Every dictionary in the store: a configuration and one of its seeds.
      </PageHeader>
      <ActiveJobs title="Training now" active={training} />
      <LeftOutLine of={['runs']} />
      <Loaded query={runs} skeleton={<Skeleton height={420} />}>
        {(all) =>
          all.length === 0 ? (
            <EmptyState
              title="No dictionary trained yet"
              command="npx lazyscope train --architecture topk --capture CAPTURE --seeds 0,1,2"
            >
              Capture activations first if there are none: <code>npx lazyscope capture</code>.{' '}
              <code>npm run demo</code> does everything on a small model.
            </EmptyState>
          ) : (
            <>
              <div className="cluster" role="search" aria-label="Filter runs">
                <Segmented
                  label="Architecture"
                  value={state.architecture}
                  options={[
                    { value: 'all', name: 'All' },
                    ...architectures.map((value) => ({
                      value: value as string,
                      name: architectureName(value),
                    })),
                  ]}
                  change={(architecture) => change({ architecture })}
                />
                <input
                  type="search"
                  className="field"
                  aria-label="Find by run, hook point, model or capture"
                  placeholder="run, hook point, model…"
                  value={state.find}
                  onChange={(event) => change({ find: event.target.value })}
                />
                <span className="small muted num" aria-live="polite">
                  {count(shown.length)} of {count(all.length)} dictionaries
                </span>
              </div>
              <ParetoPanel runs={shown} />
              <Panel
                title="Dictionaries"
                note="A row a seed. The name opens the run, the seed its features."
                flush
              >
                <RunsTable
                  runs={shown}
                  sort={state.sort}
                  order={state.order === 'asc' ? 'asc' : 'desc'}
                  change={(sort, order) => change({ sort, order })}
                />
              </Panel>
            </>
          )
        }
      </Loaded>
    </>
  );
}
