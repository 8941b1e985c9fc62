'use client';
import Link from 'next/link';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { ComparisonManifest } from '../../../sae/spec/manifests/comparison.ts';
import { matchView } from '../../../sae/spec/tables/matches.ts';
import { sortsOf } from '../../../sae/spec/tables/table.ts';
import type { MatchRow } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { useUrlState } from '../../client/useUrlState.ts';
import { paths } from '../../client/paths.ts';
import { wholeNumber } from '../../format/wholeNumber.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { describedColumn, printed } from '../ui/describedColumn.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Meter } from '../ui/Meter.tsx';
import { Pager } from '../ui/Pager.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { StoredTableLinks } from '../ui/StoredTableLinks.tsx';
import { StatusTag } from '../ui/Tag.tsx';
import { TokenRow } from '../ui/TokenRow.tsx';

const defaults = { sort: 'decoderCosine', order: 'desc', offset: '0', show: 'all' };
const limit = 25;

/** Table of the latents of a and their counterparts in b, with the tokens that each promotes. */
export function MatchesPanel({ manifest, threshold }: { manifest: ComparisonManifest; threshold: number }) {
  const trpc = useTRPC();
  const [state, change] = useUrlState(defaults);
  const sort = sortsOf(matchView).find((one) => one === state.sort) ?? 'decoderCosine';
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
        ...(threshold === manifest.threshold ? {} : { threshold }),
        ...(state.show === 'all' ? {} : { shared: state.show === 'shared' }),
      },
      { placeholderData: keepPreviousData },
    ),
  );
  return (
    <Panel
      title="Matched pairs"
      note={`The best one-to-one matching of decoder rows, shared at a cosine of ${threshold}; what each side promotes tells whether they mean the same.`}
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
            <StoredTableLinks tables={['matches', 'shared-curve']} of={{ comparison: manifest.name }} />
          </>
        )}
      </Loaded>
    </Panel>
  );
}

function columnsOf({ a, b }: ComparisonManifest): Column<MatchRow>[] {
  return [
    describedColumn(matchView, 'latent', {
      render: (row) => <Link href={paths.feature(a.run, a.seed, row.latent)}>{row.latent}</Link>,
    }),
    describedColumn(matchView, 'promotedA', {
      render: (row) => row.labelA ?? <TokenRow tokens={row.promotedA} most={4} />,
    }),
    describedColumn(matchView, 'decoderMatch', {
      render: (row) =>
        row.decoderMatch === null ? (
          <span className="faint">none</span>
        ) : (
          <Link href={paths.feature(b.run, b.seed, row.decoderMatch)}>{row.decoderMatch}</Link>
        ),
    }),
    describedColumn(matchView, 'promotedB', {
      render: (row) => row.labelB ?? <TokenRow tokens={row.promotedB} most={4} />,
    }),
    describedColumn(matchView, 'decoderCosine', {
      render: (row) => (
        <Meter
          share={row.decoderCosine}
          text={printed(row.decoderCosine, matchView.decoderCosine)}
          colour="var(--accent)"
          width={28}
        />
      ),
    }),
    describedColumn(matchView, 'encoderCosine', {
      from: 480,
      render: (row) => (
        <span
          title={
            row.encoderMatch === row.decoderMatch
              ? undefined
              : `Its encoder row is matched with latent ${row.encoderMatch ?? 'none'}`
          }
        >
          {printed(row.encoderCosine, matchView.encoderCosine)}
          {row.encoderMatch === row.decoderMatch ? '' : ' ≠'}
        </span>
      ),
    }),
    describedColumn(matchView, 'activationCorrelation', { from: 640 }),
    describedColumn(matchView, 'firingJaccard', { from: 900 }),
    describedColumn(matchView, 'chanceP', { from: 900 }),
    describedColumn(matchView, 'densityA', { from: 900 }),
    {
      key: 'shared',
      header: 'Shared',
      from: 480,
      render: (row) => <StatusTag status={row.shared ? 'shared' : 'not shared'} />,
    },
  ];
}
