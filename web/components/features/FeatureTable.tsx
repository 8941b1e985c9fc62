'use client';
import Link from 'next/link';
import { useMemo } from 'react';
import type { FeatureRow } from '../../../server/client.ts';
import { figures, percent } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { DataTable, type Column, type Sorting } from '../ui/DataTable.tsx';
import { Meter } from '../ui/Meter.tsx';
import { MiniHistogram } from '../ui/MiniHistogram.tsx';
import { Term } from '../ui/Term.tsx';
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
  const columns = useMemo(() => columnsOf(run, seed), [run, seed]);
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

function columnsOf(run: string, seed: number): Column<FeatureRow>[] {
  return [
    {
      key: 'latent',
      header: 'Latent',
      numeric: true,
      sort: 'latent',
      render: (row) => <Link href={paths.feature(run, seed, row.latent)}>{row.latent}</Link>,
    },
    {
      key: 'density',
      header: <Term of="density" />,
      numeric: true,
      sort: 'density',
      render: (row) => (row.dead ? <span className="faint">dead</span> : percent(row.density, 2)),
    },
    {
      key: 'max',
      header: 'Max',
      numeric: true,
      sort: 'maxActivation',
      from: 480,
      render: (row) => figures(row.maxActivation),
    },
    {
      key: 'histogram',
      tight: true,
      header: 'Activations',
      from: 640,
      render: (row) => <MiniHistogram counts={row.histogram} />,
    },
    {
      key: 'stability',
      header: <Term of="stability" />,
      numeric: true,
      sort: 'stability',
      render: (row) =>
        row.stability === null ? (
          <span className="faint">–</span>
        ) : (
          <Meter share={row.stability} text={percent(row.stability, 0)} colour="var(--accent)" width={28} />
        ),
    },
    {
      key: 'fires',
      header: 'Fires on',
      from: 640,
      render: (row) => <TokenRow tokens={row.topTokens} most={5} />,
    },
    { key: 'promoted', header: 'Promotes', render: (row) => <TokenRow tokens={row.promoted} most={5} /> },
    {
      key: 'label',
      header: 'Label',
      from: 900,
      render: (row) => row.label ?? '',
    },
  ];
}
