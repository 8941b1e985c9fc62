'use client';
import type { RunDetail } from '../../../server/client.ts';
import { fixed, percent } from '../../format/number.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { HookName } from '../ui/HookName.tsx';
import { MiniHistogram } from '../ui/MiniHistogram.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Term } from '../ui/Term.tsx';

type Evaluation = NonNullable<RunDetail['seeds'][number]['evaluation']>;
type Row = NonNullable<Evaluation['layers']>[number] & { seed: number };

const columns: Column<Row>[] = [
  { key: 'seed', header: 'Seed', numeric: true, render: (row) => row.seed },
  {
    key: 'hook',
    header: 'Hook point',
    render: (row) => <HookName hook={row.hook} />,
  },
  { key: 'fvu', header: <Term of="fvu" />, numeric: true, render: (row) => fixed(row.fvu) },
  {
    key: 'ce',
    header: <Term of="ceRecovered">CE rec.</Term>,
    numeric: true,
    from: 640,
    render: (row) => percent(row.ceRecovered),
  },
  {
    key: 'share',
    header: 'Decoder share',
    numeric: true,
    render: (row) => percent(row.decoderShare),
  },
  {
    key: 'latents',
    header: 'Latents by share, from 0 to 100 %',
    from: 640,
    render: (row) => (
      // The line says where 0 and 100 % are when all latents stand in the middle.
      <span style={{ display: 'inline-block', borderBottom: '1px solid var(--line-strong)' }}>
        <MiniHistogram counts={row.latentsByShare} width={128} />
      </span>
    ),
  },
];

/** Of crosscoders: how well each hook point is reconstructed, and how much of the latents is there. */
export function LayersPanel({ detail }: { detail: RunDetail }) {
  const rows = detail.seeds.flatMap(({ seed, evaluation }) =>
    (evaluation?.layers ?? []).map((layer) => ({ ...layer, seed })),
  );
  if (rows.length === 0) return null;
  return (
    <Panel
      title="Hook points"
      note="A crosscoder’s latents read and reconstruct all of these at once. A latent’s share of a hook point is the norm of its decoder row there over the sum of its norms everywhere: near 100 % it lives there alone. The column has the mean over latents."
      flush
    >
      <DataTable
        caption="Hook points of the crosscoder"
        columns={columns}
        rows={rows}
        rowKey={(row) => `${row.seed} ${row.hook}`}
      />
    </Panel>
  );
}
