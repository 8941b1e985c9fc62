'use client';
import Link from 'next/link';
import type { FeatureDetail, Neighbour } from '../../../server/client.ts';
import { fixed, percent } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Meter } from '../ui/Meter.tsx';
import { Panel } from '../ui/Panel.tsx';
import { TokenRow } from '../ui/TokenRow.tsx';

export function NeighboursPanel({ feature }: { feature: FeatureDetail }) {
  const columns: Column<Neighbour>[] = [
    {
      key: 'latent',
      header: 'Latent',
      numeric: true,
      render: (row) => <Link href={paths.feature(feature.run, feature.seed, row.latent)}>{row.latent}</Link>,
    },
    {
      key: 'cosine',
      header: 'Decoder cosine',
      numeric: true,
      render: (row) => <Meter share={Math.abs(row.cosine)} text={fixed(row.cosine, 2)} />,
    },
    { key: 'density', header: 'Density', numeric: true, from: 480, render: (row) => percent(row.density, 2) },
    ...(feature.neighbours.some(({ label }) => label !== null)
      ? [{ key: 'label', header: 'Label', render: (row: Neighbour) => row.label ?? '' }]
      : []),
    { key: 'promoted', header: 'Promotes', render: (row) => <TokenRow tokens={row.promoted} most={8} /> },
  ];
  return (
    <Panel
      title="Nearest in its own dictionary"
      note="Latents of this seed with the closest decoder rows: near copies hint at splitting."
      flush
    >
      <DataTable
        caption="Nearest neighbours"
        columns={columns}
        rows={feature.neighbours}
        rowKey={(row) => String(row.latent)}
      />
    </Panel>
  );
}
