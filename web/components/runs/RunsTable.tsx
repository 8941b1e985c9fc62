'use client';
import Link from 'next/link';
import { useMemo } from 'react';
import type { RunRow } from '../../../server/client.ts';
import { compact, count, fixed, percent, significant } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { duration } from '../../format/time.ts';
import { type Order, sortRows } from '../ui/sortRows.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { ArchitectureTag, StatusTag } from '../ui/Tag.tsx';
import { Term } from '../ui/Term.tsx';

const columns: Column<RunRow>[] = [
  {
    key: 'name',
    header: 'Run',
    sort: 'name',
    render: (run) => <Link href={paths.run(run.name)}>{run.name}</Link>,
  },
  {
    key: 'seed',
    header: 'Seed',
    numeric: true,
    sort: 'seed',
    render: (run) => (
      <Link
        href={paths.dictionary(run.name, run.seed)}
        aria-label={`Features of ${run.name}, seed ${run.seed}`}
      >
        {run.seed}
      </Link>
    ),
  },
  {
    key: 'architecture',
    header: 'Architecture',
    sort: 'architecture',
    from: 640,
    render: (run) => <ArchitectureTag architecture={run.architecture} />,
  },
  { key: 'hook', header: 'Hook point', sort: 'hook', from: 900, render: (run) => <code>{run.hook}</code> },
  {
    key: 'width',
    header: 'Latents',
    numeric: true,
    sort: 'width',
    from: 640,
    render: (run) => count(run.width),
  },
  { key: 'l0', header: <Term of="l0" />, numeric: true, sort: 'l0', render: (run) => significant(run.l0) },
  { key: 'fvu', header: <Term of="fvu" />, numeric: true, sort: 'fvu', render: (run) => fixed(run.fvu) },
  {
    key: 'ce',
    header: <Term of="ceRecovered">CE rec.</Term>,
    numeric: true,
    sort: 'ceRecovered',
    from: 480,
    render: (run) => percent(run.ceRecovered),
  },
  {
    key: 'dead',
    header: <Term of="dead" />,
    numeric: true,
    sort: 'deadFraction',
    from: 640,
    render: (run) => percent(run.deadFraction),
  },
  {
    key: 'speed',
    header: 'Tokens/s',
    numeric: true,
    sort: 'tokensPerSecond',
    from: 900,
    render: (run) => (run.tokensPerSecond > 0 ? compact(run.tokensPerSecond) : '–'),
  },
  {
    key: 'status',
    header: 'Status',
    from: 480,
    render: (run) =>
      run.status === 'complete' ? (
        <StatusTag status="complete" />
      ) : (
        <span className="cluster">
          <StatusTag status={run.status} />{' '}
          <span className="xs muted num">
            {percent(run.step / run.totalSteps, 0)}
            {run.training && trainingWords(run.training)}
          </span>
        </span>
      ),
  },
];

function trainingWords({ loss, secondsLeft }: NonNullable<RunRow['training']>): string {
  return [
    ...(loss === null ? [] : [`loss ${significant(loss)}`]),
    ...(secondsLeft === null ? [] : [`${duration(Math.ceil(secondsLeft))} left`]),
  ]
    .map((words) => `, ${words}`)
    .join('');
}

/** What a run is sorted by; an order that isn't one is that of their making. */
function cellOf(run: RunRow, sort: string) {
  const { training: _, ...cells } = run;
  return sort in cells ? cells[sort as keyof typeof cells] : run.createdAt;
}

export function RunsTable({
  runs,
  sort,
  order,
  change,
}: {
  runs: readonly RunRow[];
  sort: string;
  order: Order;
  change: (sort: string, order: Order) => void;
}) {
  const rows = useMemo(
    () =>
      sortRows(
        runs,
        order,
        (run) => cellOf(run, sort),
        (run) => `${run.name} ${run.seed}`,
      ),
    [runs, sort, order],
  );
  return (
    <DataTable
      caption="Dictionaries"
      columns={columns}
      rows={rows}
      rowKey={(run) => `${run.name}/${run.seed}`}
      sorting={{ by: sort, order, change }}
    />
  );
}
