'use client';
import type { FeatureDetail } from '../../../server/client.ts';
import { percent, significant } from '../../format/number.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { HookName } from '../ui/HookName.tsx';
import { Meter } from '../ui/Meter.tsx';
import { Panel } from '../ui/Panel.tsx';

type Layer = NonNullable<FeatureDetail['layers']>[number];

const columns: Column<Layer>[] = [
  {
    key: 'hook',
    header: 'Hook point',
    render: (row) => <HookName hook={row.hook} />,
  },
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
      note="Its share of a hook point is the norm of its decoder row there over the sum of its norms everywhere; activations of all hook points are brought to one size first."
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
