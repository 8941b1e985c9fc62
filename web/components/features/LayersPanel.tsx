'use client';
import type { FeatureDetail } from '../../../server/client.ts';
import { percent, significant } from '../../format/number.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Meter } from '../ui/Meter.tsx';
import { Panel } from '../ui/Panel.tsx';

type Layer = NonNullable<FeatureDetail['layers']>[number];

const columns: Column<Layer>[] = [
  { key: 'hook', header: 'Hook point', render: (row) => <code>{row.hook}</code> },
  {
    key: 'share',
    header: 'Share',
    numeric: true,
    render: (row) => <Meter share={row.share} text={percent(row.share, 0)} />,
  },
  { key: 'norm', header: 'Decoder norm', numeric: true, render: (row) => significant(row.norm) },
];

/** Of a crosscoder's latent: in which layers it lives. */
export function LayersPanel({ layers }: { layers: readonly Layer[] }) {
  return (
    <Panel
      title="Where it lives"
      note="The norm of its decoder at each hook point, with activations brought to one size, over the sum of all."
      flush
    >
      <DataTable
        caption="Hook points of the latent"
        columns={columns}
        rows={[...layers]}
        rowKey={(row) => row.hook}
      />
    </Panel>
  );
}
