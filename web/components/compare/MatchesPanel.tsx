'use client';
import Link from 'next/link';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { ComparisonManifest } from '../../../sae/spec/manifests/comparison.ts';
import type { MatchRow } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { useUrlState } from '../../client/useUrlState.ts';
import { fixed, percent } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { wholeNumber } from '../../format/wholeNumber.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Meter } from '../ui/Meter.tsx';
import { Pager } from '../ui/Pager.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { StatusTag } from '../ui/Tag.tsx';
import { Term } from '../ui/Term.tsx';
import { TokenRow } from '../ui/TokenRow.tsx';

const sorts = [
  'latent',
  'decoderCosine',
  'encoderCosine',
  'nearestCosine',
  'activationCorrelation',
  'firingJaccard',
  'densityA',
  'densityB',
] as const;
const defaults = { sort: 'decoderCosine', order: 'desc', offset: '0', show: 'all' };
const limit = 25;

/** Latents of a and their counterparts in b, both sides' words beside each other. */
export function MatchesPanel({ manifest }: { manifest: ComparisonManifest }) {
  const trpc = useTRPC();
  const [state, change] = useUrlState(defaults);
  const sort = sorts.find((one) => one === state.sort) ?? 'decoderCosine';
  const order = state.order === 'asc' ? 'asc' : 'desc';
  const offset = wholeNumber(state.offset) ?? 0;
  const matches = useQuery(
    trpc.comparisons.matches.queryOptions(
      {
        name: manifest.name,
        sort,
        order,
        offset,
        limit,
        ...(state.show === 'all' ? {} : { shared: state.show === 'shared' }),
      },
      { placeholderData: keepPreviousData },
    ),
  );
  return (
    <Panel
      title="Matched pairs"
      note="The best one-to-one matching of decoder rows; what each side promotes tells whether they mean the same."
      flush
      actions={
        <Segmented
          label="Which pairs"
          value={state.show}
          options={[
            { value: 'all', name: 'All' },
            { value: 'shared', name: 'Shared' },
            { value: 'rest', name: 'Not shared' },
          ]}
          change={(show) => change({ show, offset: '0' })}
        />
      }
    >
      <Loaded
        query={matches}
        skeleton={
          <div style={{ padding: '0 1rem 1rem' }}>
            <Skeleton lines={10} />
          </div>
        }
      >
        {(page) => (
          <>
            <DataTable
              caption="Matched pairs"
              columns={columnsOf(manifest)}
              rows={page.rows}
              rowKey={(row) => String(row.latent)}
              dim={matches.isPlaceholderData}
              sorting={{ by: sort, order, change: (by, to) => change({ sort: by, order: to, offset: '0' }) }}
            />
            <Pager
              offset={offset}
              limit={limit}
              total={page.total}
              noun="pairs"
              change={(to) => change({ offset: String(to) })}
            />
          </>
        )}
      </Loaded>
    </Panel>
  );
}

function columnsOf({ a, b }: ComparisonManifest): Column<MatchRow>[] {
  return [
    {
      key: 'a',
      header: 'a',
      numeric: true,
      sort: 'latent',
      render: (row) => <Link href={paths.feature(a.run, a.seed, row.latent)}>{row.latent}</Link>,
    },
    {
      key: 'promotedA',
      header: 'a promotes',
      render: (row) => <TokenRow tokens={row.promotedA} most={4} />,
    },
    {
      key: 'b',
      header: 'b',
      numeric: true,
      render: (row) =>
        row.decoderMatch === null ? (
          <span className="faint">none</span>
        ) : (
          <Link href={paths.feature(b.run, b.seed, row.decoderMatch)}>{row.decoderMatch}</Link>
        ),
    },
    {
      key: 'promotedB',
      header: 'b promotes',
      render: (row) => <TokenRow tokens={row.promotedB} most={4} />,
    },
    {
      key: 'decoder',
      header: 'Decoder',
      numeric: true,
      sort: 'decoderCosine',
      render: (row) => (
        <Meter
          share={row.decoderCosine}
          text={fixed(row.decoderCosine, 2)}
          colour="var(--accent)"
          width={28}
        />
      ),
    },
    {
      key: 'encoder',
      header: 'Encoder',
      from: 480,
      numeric: true,
      sort: 'encoderCosine',
      render: (row) => (
        <span
          title={
            row.encoderMatch === row.decoderMatch
              ? undefined
              : `Its encoder row is matched with latent ${row.encoderMatch ?? 'none'}`
          }
        >
          {fixed(row.encoderCosine, 2)}
          {row.encoderMatch === row.decoderMatch ? '' : ' ≠'}
        </span>
      ),
    },
    {
      key: 'correlation',
      header: <Term of="correlation">Corr.</Term>,
      numeric: true,
      sort: 'activationCorrelation',
      from: 640,
      render: (row) => fixed(row.activationCorrelation, 2),
    },
    {
      key: 'jaccard',
      header: <Term of="jaccard" />,
      numeric: true,
      sort: 'firingJaccard',
      from: 900,
      render: (row) => fixed(row.firingJaccard, 2),
    },
    {
      key: 'densityA',
      header: 'Density a',
      numeric: true,
      sort: 'densityA',
      from: 900,
      render: (row) => percent(row.densityA, 2),
    },
    {
      key: 'shared',
      header: '',
      from: 480,
      render: (row) => <StatusTag status={row.shared ? 'shared' : 'not shared'} />,
    },
  ];
}
