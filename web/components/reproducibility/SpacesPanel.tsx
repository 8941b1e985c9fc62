'use client';
import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import type { SpacesReport } from '../../../sae/spec/manifests/spaces.ts';
import { paths } from '../../client/paths.ts';
import { useTRPC } from '../../client/trpc.ts';
import { count, fixed } from '../../format/number.ts';
import { Command } from '../ui/Command.tsx';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { WithInterval } from './WithInterval.tsx';

/** How alike the dictionaries of the run are to those of other spaces, such as of another step of the model's training. */
export function SpacesPanel({ run }: { run: string }) {
  const trpc = useTRPC();
  const found = useQuery(trpc.runs.spaces.queryOptions({ name: run }));
  return (
    <Panel
      title="In other spaces"
      note="Is a dictionary of another model, layer or step of training like this one? Features are paired by what they fire on, and the two spaces compared by measures that don’t depend on how a space is rotated. 1 is alike."
    >
      <Loaded query={found} skeleton={<Skeleton height={120} />}>
        {(reports) =>
          reports.length === 0 ? (
            <>
              <p className="small muted" style={{ marginBottom: 'var(--s-2)' }}>
                Not compared yet. Both runs need captures of the same text:
              </p>
              <Command text={`npx lazyscope spaces ${run}/0 OTHER-RUN/0`} />
            </>
          ) : (
            <>
              <DataTable
                caption="Likeness to dictionaries of other spaces"
                columns={columns}
                rows={reports.flatMap((report): Row[] => [
                  { ...report, measure: 'svcca' },
                  { ...report, measure: 'rsa' },
                ])}
                rowKey={({ name, measure }) => `${name} ${measure}`}
              />
              <p className="xs muted" style={{ marginTop: 'var(--s-2)' }}>
                SVCCA is the mean canonical correlation of the leading directions of both sides’ decoder rows,
                RSA Spearman’s correlation between the cosines of all pairs of rows on either side. In
                brackets the 95 % interval by a jackknife over groups of pairs; chance is the mean of random
                pairings of the same features, and p the share of them that reach the value.
              </p>
            </>
          )
        }
      </Loaded>
    </Panel>
  );
}

type Row = SpacesReport & { measure: 'svcca' | 'rsa' };
const measureNames = { svcca: 'SVCCA', rsa: 'RSA' } as const;

const dictionary = ({ run, seed }: SpacesReport['a']) => (
  <Link href={paths.dictionary(run, seed)}>
    {run}/{seed}
  </Link>
);

const columns: Column<Row>[] = [
  {
    key: 'dictionaries',
    header: 'Dictionaries',
    render: ({ a, b }) => (
      <span style={{ overflowWrap: 'anywhere' }}>
        {dictionary(a)} beside {dictionary(b)}
      </span>
    ),
  },
  { key: 'measure', header: 'Measure', render: ({ measure }) => measureNames[measure] },
  {
    key: 'value',
    header: 'Value',
    numeric: true,
    render: (row) => (
      <WithInterval
        value={row[row.measure].value}
        interval={row[row.measure].interval}
        format={(value) => fixed(value, 2)}
      />
    ),
  },
  {
    key: 'chance',
    header: 'By chance',
    numeric: true,
    render: (row) => fixed(row[row.measure].chance, 2),
  },
  { key: 'p', header: 'p', numeric: true, from: 480, render: (row) => fixed(row[row.measure].p, 2) },
  { key: 'pairs', header: 'Pairs', numeric: true, from: 640, render: ({ pairs }) => count(pairs) },
  {
    key: 'correlation',
    header: 'Median correlation',
    numeric: true,
    from: 900,
    render: ({ correlation }) => fixed(correlation.median, 2),
  },
  {
    key: 'tokens',
    header: 'Tokens',
    numeric: true,
    from: 900,
    render: ({ tokens }) => count(tokens),
  },
];
