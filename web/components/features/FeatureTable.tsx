'use client';
import Link from 'next/link';
import { useMemo } from 'react';
import { featureView } from '../../../sae/spec/tables/features.ts';
import type { FeatureRow } from '../../../server/client.ts';
import { paths } from '../../client/paths.ts';
import { DataTable, type Column, type Sorting } from '../ui/DataTable.tsx';
import { describedColumn, printed } from '../ui/describedColumn.tsx';
import { Meter } from '../ui/Meter.tsx';
import { MiniHistogram } from '../ui/MiniHistogram.tsx';
import { MatchedText } from '../search/MatchedText.tsx';
import { TokenRow } from '../ui/TokenRow.tsx';

export function FeatureTable({
  run,
  seed,
  rows,
  sorting,
  dim = false,
  caption = 'Latents',
}: {
  run: string;
  seed: number;
  rows: readonly FeatureRow[];
  sorting?: Sorting;
  dim?: boolean;
  caption?: string;
}) {
  const matched = rows.some(({ match }) => match !== null);
  const columns = useMemo(() => columnsOf(run, seed, matched), [run, seed, matched]);
  return (
    <DataTable
      caption={caption}
      columns={columns}
      rows={rows}
      rowKey={(row) => String(row.latent)}
      dim={dim}
      {...(sorting ? { sorting } : {})}
    />
  );
}

function columnsOf(run: string, seed: number, matched: boolean): Column<FeatureRow>[] {
  return [
    describedColumn(featureView, 'latent', {
      render: (row) => <Link href={paths.feature(run, seed, row.latent)}>{row.latent}</Link>,
    }),
    describedColumn(featureView, 'density', {
      render: (row) =>
        row.dead ? <span className="faint">dead</span> : printed(row.density, featureView.density),
    }),
    describedColumn(featureView, 'maxActivation', { from: 480 }),
    describedColumn(featureView, 'histogram', {
      tight: true,
      from: 640,
      render: (row) => <MiniHistogram counts={row.histogram} />,
    }),
    describedColumn(featureView, 'stability', {
      render: (row) =>
        row.stability === null ? (
          <span className="faint">–</span>
        ) : (
          <Meter
            share={row.stability}
            text={printed(row.stability, featureView.stability)}
            colour="var(--accent)"
            width={28}
          />
        ),
    }),
    ...(matched
      ? [
          {
            key: 'match',
            header: 'In examples',
            render: ({ match }: FeatureRow) =>
              match ? <MatchedText example={match.example} /> : <span className="faint">–</span>,
          },
        ]
      : []),
    describedColumn(featureView, 'topTokens', {
      render: (row) => <TokenRow tokens={row.topTokens} most={5} />,
    }),
    describedColumn(featureView, 'promotedTokens', {
      from: 640,
      render: (row) => <TokenRow tokens={row.promoted} most={5} />,
    }),
    { key: 'label', header: 'Label', from: 640, render: (row) => row.label ?? '' },
  ];
}
