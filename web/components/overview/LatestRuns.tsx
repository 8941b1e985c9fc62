'use client';
import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../client/trpc.ts';
import { groupRuns, type RunGroup } from './groupRuns.ts';
import { count, fixed, percent, significant } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { EmptyState } from '../ui/EmptyState.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { ArchitectureMark, StatusTag } from '../ui/Tag.tsx';
import { Term } from '../ui/Term.tsx';

const columns: Column<RunGroup>[] = [
  {
    key: 'name',
    header: 'Run',
    render: (run) => (
      <span className="cluster">
        <ArchitectureMark architecture={run.first.architecture} />
        <Link href={paths.run(run.name)}>{run.name}</Link>
      </span>
    ),
  },
  { key: 'hook', header: 'Hook point', from: 640, render: (run) => <code>{run.first.hook}</code> },
  { key: 'seeds', header: 'Seeds', numeric: true, render: (run) => run.seeds.length },
  { key: 'width', header: 'Latents', numeric: true, from: 480, render: (run) => count(run.first.width) },
  { key: 'l0', header: <Term of="l0" />, numeric: true, render: (run) => significant(run.l0) },
  { key: 'fvu', header: <Term of="fvu" />, numeric: true, render: (run) => fixed(run.fvu) },
  {
    key: 'ce',
    header: <Term of="ceRecovered" />,
    numeric: true,
    from: 480,
    render: (run) => percent(run.ceRecovered),
  },
  {
    key: 'status',
    header: 'Status',
    from: 640,
    render: (run) => (
      <>
        <StatusTag status={run.first.status} />
        {run.first.status === 'complete' ? null : (
          <span className="xs muted num"> {percent(run.first.step / run.first.totalSteps, 0)}</span>
        )}
      </>
    ),
  },
];

export function LatestRuns() {
  const trpc = useTRPC();
  const runs = useQuery(
    trpc.runs.list.queryOptions(undefined, {
      refetchInterval: (query) =>
        query.state.data?.some((run) => run.status === 'training') ? 3_000 : false,
    }),
  );
  return (
    <Loaded
      query={runs}
      skeleton={
        <div style={{ padding: '0 1rem 1rem' }}>
          <Skeleton lines={5} />
        </div>
      }
    >
      {(rows) =>
        rows.length === 0 ? (
          <div style={{ padding: '0 1rem 1rem' }}>
            <EmptyState
              title="No dictionary trained yet"
              command="npx lazyscope train --architecture topk --capture CAPTURE --seeds 0,1,2"
            >
              Capture a model’s activations, then train sparse autoencoders on them; or run the demo, which
              does both.
            </EmptyState>
          </div>
        ) : (
          <DataTable
            caption="Latest runs, seeds averaged"
            columns={columns}
            rows={groupRuns(rows).slice(0, 8)}
            rowKey={(run) => run.name}
          />
        )
      }
    </Loaded>
  );
}
