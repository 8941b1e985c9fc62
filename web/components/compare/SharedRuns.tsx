'use client';
import Link from 'next/link';
import type { SharedHeadline } from './sharedSummary.ts';
import { count, fixed, percent } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import type { Column } from '../ui/DataTable.tsx';
import { SearchedTable } from '../ui/SearchedTable.tsx';
import { ArchitectureMark } from '../ui/Tag.tsx';
import { Term } from '../ui/Term.tsx';

const columnsOf = (choose: (run: string) => void): Column<SharedHeadline>[] => [
  {
    key: 'run',
    header: 'Run',
    sort: 'run',
    render: ({ run, architecture }) => (
      <>
        <ArchitectureMark architecture={architecture} />{' '}
        <Link
          href={`${paths.comparisons()}?run=${encodeURIComponent(run)}`}
          // In this window the table stays as it was searched and sorted.
          onNavigate={(event) => {
            event.preventDefault();
            choose(run);
          }}
        >
          {run}
        </Link>
      </>
    ),
  },
  { key: 'pairs', header: 'Pairs of seeds', numeric: true, from: 640, render: ({ pairs }) => pairs.length },
  {
    key: 'latents',
    header: 'Latents',
    numeric: true,
    sort: 'latents',
    from: 480,
    render: ({ latents }) => count(latents),
  },
  {
    key: 'mmcs',
    header: <Term of="mmcs" />,
    numeric: true,
    sort: 'mmcs',
    from: 640,
    render: ({ mmcs }) => fixed(mmcs),
  },
  {
    key: 'range',
    header: 'Least to most',
    numeric: true,
    from: 900,
    render: ({ low, high }) => `${percent(low)} – ${percent(high)}`,
  },
  {
    key: 'mean',
    header: <Term of="shared" />,
    numeric: true,
    sort: 'mean',
    render: ({ mean }) => percent(mean),
  },
];

/** A choice among the runs whose seeds were compared, where there are too many to show side by side. */
export function SharedRuns({
  headlines,
  chosen,
  choose,
}: {
  headlines: readonly SharedHeadline[];
  chosen: string;
  choose: (run: string) => void;
}) {
  return (
    <SearchedTable
      name="run"
      title="Which run?"
      note="Shared fraction between seeds, mean over pairs. The name chooses what is shown below."
      noun="runs"
      columns={columnsOf(choose)}
      rows={headlines}
      rowKey={({ run }) => run}
      text={({ run, architecture }) => `${run} ${architecture}`}
      value={(row, sort) => row[sort as 'run' | 'latents' | 'mmcs' | 'mean'] ?? row.mean}
      sorted={{ by: 'mean', order: 'desc' }}
      current={({ run }) => run === chosen}
    />
  );
}
