import Link from 'next/link';
import type { Reproducibility } from '../../../sae/spec/manifests/reproducibility.ts';
import { percent } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Panel } from '../ui/Panel.tsx';

type SeedRow = Reproducibility['bySeed'][number];

/** The same shares for each seed; its features that come back are one click away. */
export function SeedReturns({ report }: { report: Reproducibility }) {
  const columns: Column<SeedRow>[] = [
    {
      key: 'seed',
      header: 'Seed',
      render: ({ seed }) => (
        <Link href={`${paths.dictionary(report.run, seed)}?stability=shared`}>
          {seed}, those that come back
        </Link>
      ),
    },
    { key: 'every', header: 'In every other', numeric: true, render: (row) => percent(row.every) },
    { key: 'any', header: 'In at least one', numeric: true, render: (row) => percent(row.any) },
    { key: 'mean', header: 'Mean', numeric: true, from: 480, render: (row) => percent(row.mean) },
  ];
  return (
    <Panel title="Each seed" flush>
      <DataTable
        caption="Features of each seed that come back"
        columns={columns}
        rows={report.bySeed}
        rowKey={({ seed }) => String(seed)}
      />
    </Panel>
  );
}
