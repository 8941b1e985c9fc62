'use client';
import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import type { StabilitySweep } from '../../../sae/spec/manifests/stabilitySweep.ts';
import { paths } from '../../client/paths.ts';
import { useTRPC } from '../../client/trpc.ts';
import { fixed, percent } from '../../format/number.ts';
import { Command } from '../ui/Command.tsx';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { WithInterval } from './WithInterval.tsx';

/** What else could have been set, and how many features come back then: the sweeps that the run is part of. */
export function SweepsPanel({ run }: { run: string }) {
  const trpc = useTRPC();
  const found = useQuery(trpc.runs.sweeps.queryOptions({ name: run }));
  return (
    <Panel
      title="With other settings"
      note="Sweeps that the run is part of train several seeds with each of some settings. First stand those with which most features come back beyond chance."
    >
      <Loaded query={found} skeleton={<Skeleton height={120} />}>
        {(sweeps) =>
          sweeps.length === 0 ? (
            <>
              <p className="small muted" style={{ marginBottom: 'var(--s-2)' }}>
                The run is part of none yet. A file says which settings to try, each with several seeds;
                docs/COMPARING.md has one.
              </p>
              <Command text="npx lazyscope stability SWEEP.yaml" />
            </>
          ) : (
            <>
              {sweeps.map((sweep) => (
                <Sweep key={sweep.name} sweep={sweep} run={run} />
              ))}
            </>
          )
        }
      </Loaded>
    </Panel>
  );
}

type Row = StabilitySweep['rows'][number];

function Sweep({ sweep, run }: { sweep: StabilitySweep; run: string }) {
  const rows = [...sweep.rows].sort((x, y) => y.beyondChance - x.beyondChance);
  return (
    <>
      <h3 style={{ marginTop: 'var(--s-3)' }}>{sweep.name}</h3>
      <DataTable
        caption={`Stability of the sweep ${sweep.name}`}
        columns={columns}
        rows={rows}
        rowKey={(row) => `${row.run} ${row.with}`}
        current={(row) => row.run === run}
      />
      <p className="xs muted" style={{ marginTop: 'var(--s-2)' }}>
        Features that come back in another seed with both cosines ≥ {sweep.threshold}, on average over pairs
        of seeds; in brackets the 95 % interval by bootstrap over seeds, which takes three of them.
      </p>
    </>
  );
}

const columns: Column<Row>[] = [
  {
    key: 'run',
    header: 'Run',
    render: ({ run, with: beside }) => (
      <span style={{ overflowWrap: 'anywhere' }}>
        <Link href={paths.run(run)}>{run}</Link>
        {beside !== 'its own seeds' && (
          <>
            {' '}
            beside <Link href={paths.run(beside)}>{beside}</Link>
          </>
        )}
      </span>
    ),
  },
  {
    key: 'comesBack',
    header: 'Come back',
    numeric: true,
    render: ({ comesBack, interval }) => (
      <WithInterval value={comesBack} interval={interval} format={(value) => percent(value)} />
    ),
  },
  { key: 'byChance', header: 'By chance', numeric: true, render: ({ byChance }) => percent(byChance) },
  {
    key: 'beyondChance',
    header: 'Beyond chance',
    numeric: true,
    from: 480,
    render: ({ beyondChance }) => percent(beyondChance),
  },
  { key: 'fvu', header: 'FVU', numeric: true, from: 480, render: ({ fvu }) => fixed(fvu, 3) },
  {
    key: 'ceRecovered',
    header: 'CE recovered',
    numeric: true,
    from: 640,
    render: ({ ceRecovered }) => percent(ceRecovered),
  },
  { key: 'l0', header: 'L0', numeric: true, from: 640, render: ({ l0 }) => fixed(l0, 1) },
  {
    key: 'dead',
    header: 'Dead',
    numeric: true,
    from: 900,
    render: ({ deadFraction }) => percent(deadFraction),
  },
];
