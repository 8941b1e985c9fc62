'use client';
import Link from 'next/link';
import type { ComparisonManifest } from '../../sae/store/manifests.ts';
import { count, fixed, percent } from '../format/number.ts';
import { paths } from '../format/paths.ts';
import { DataTable, type Column } from './DataTable.tsx';
import { ArchitectureMark } from './Tag.tsx';
import { Term } from './Term.tsx';

function Side({ side, architecture }: { side: { run: string; seed: number }; architecture: string }) {
  return (
    <span className="cluster">
      <ArchitectureMark architecture={architecture} />
      <Link href={paths.dictionary(side.run, side.seed)} className="plain">
        {side.run} / {side.seed}
      </Link>
    </span>
  );
}

const columns: Column<ComparisonManifest>[] = [
  {
    key: 'name',
    header: 'Comparison',
    render: (row) => <Link href={paths.comparison(row.name)}>{row.name}</Link>,
  },
  {
    key: 'a',
    header: 'a',
    from: 640,
    render: (row) => <Side side={row.a} architecture={row.architectures[0]} />,
  },
  {
    key: 'b',
    header: 'b',
    from: 640,
    render: (row) => <Side side={row.b} architecture={row.architectures[1]} />,
  },
  { key: 'latents', header: 'Latents', numeric: true, from: 900, render: (row) => count(row.latents) },
  { key: 'shared', header: <Term of="shared" />, numeric: true, render: (row) => percent(row.shared) },
  {
    key: 'decoder',
    header: 'Decoder alone',
    numeric: true,
    from: 900,
    render: (row) => percent(row.sharedDecoder),
  },
  {
    key: 'encoder',
    header: 'Encoder alone',
    numeric: true,
    from: 900,
    render: (row) => percent(row.sharedEncoder),
  },
  { key: 'mmcs', header: <Term of="mmcs" />, numeric: true, from: 480, render: (row) => fixed(row.mmcs) },
  { key: 'pwMcc', header: <Term of="pwMcc" />, numeric: true, from: 640, render: (row) => fixed(row.pwMcc) },
];

export function ComparisonsTable({ comparisons }: { comparisons: readonly ComparisonManifest[] }) {
  return (
    <DataTable caption="All comparisons" columns={columns} rows={comparisons} rowKey={(row) => row.name} />
  );
}
