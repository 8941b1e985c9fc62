'use client';
import Link from 'next/link';
import type { ComparisonManifest } from '../../../sae/spec/manifests/comparison.ts';
import { count, fixed, percent } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import type { Column } from '../ui/DataTable.tsx';
import { SearchedTable } from '../ui/SearchedTable.tsx';
import { ArchitectureMark } from '../ui/Tag.tsx';
import { Term } from '../ui/Term.tsx';

function Dictionaries({ a, b, architectures }: ComparisonManifest) {
  if (a.run === b.run)
    return (
      <>
        <ArchitectureMark architecture={architectures[0]} />{' '}
        <span className="num">
          seeds {a.seed} and {b.seed}
        </span>
      </>
    );
  return [a, b].map((side, i) => (
    <div key={i}>
      <ArchitectureMark architecture={architectures[i] ?? architectures[0]} />{' '}
      <Link href={paths.dictionary(side.run, side.seed)} className="plain">
        {side.run} / {side.seed}
      </Link>
    </div>
  ));
}

const columns: Column<ComparisonManifest>[] = [
  {
    key: 'name',
    header: 'Comparison',
    sort: 'name',
    render: (row) => <Link href={paths.comparison(row.name)}>{row.name}</Link>,
  },
  { key: 'dictionaries', header: 'Dictionaries', from: 900, render: (row) => <Dictionaries {...row} /> },
  {
    key: 'latents',
    header: 'Latents',
    numeric: true,
    sort: 'latents',
    from: 640,
    render: (row) => count(row.latents),
  },
  {
    key: 'shared',
    sort: 'shared',
    header: <Term of="shared" />,
    numeric: true,
    render: (row) => percent(row.shared),
  },
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
  {
    key: 'mmcs',
    sort: 'mmcs',
    header: <Term of="mmcs" />,
    numeric: true,
    from: 480,
    render: (row) => fixed(row.mmcs),
  },
  {
    key: 'mmcsByChance',
    header: 'by chance',
    numeric: true,
    from: 640,
    render: (row) => fixed(byChance(row)?.mmcs),
  },
  { key: 'pwMcc', header: <Term of="pwMcc" />, numeric: true, from: 640, render: (row) => fixed(row.pwMcc) },
  {
    key: 'pwMccByChance',
    header: 'by chance',
    numeric: true,
    from: 900,
    render: (row) => fixed(byChance(row)?.pwMcc),
  },
  {
    key: 'beyond',
    sort: 'beyond',
    header: <Term of="beyondChance" />,
    numeric: true,
    from: 900,
    render: (row) => percent(row.chance?.beyond.share),
  },
];

/** Figures of random dictionaries of the same shape; undefined where the comparison was made without them. */
function byChance({ chance }: ComparisonManifest) {
  return chance?.covariance ?? chance?.isotropic;
}

export function ComparisonsTable({ comparisons }: { comparisons: readonly ComparisonManifest[] }) {
  return (
    <SearchedTable
      name="comparison"
      title="All comparisons"
      noun="comparisons"
      columns={columns}
      rows={comparisons}
      rowKey={(row) => row.name}
      text={({ name, a, b, architectures }) => `${name} ${a.run} ${b.run} ${architectures.join(' ')}`}
      value={(row, sort) =>
        sort === 'beyond'
          ? (row.chance?.beyond.share ?? -1)
          : (row[sort as 'name' | 'latents' | 'shared' | 'mmcs'] ?? row.name)
      }
      sorted={{ by: 'name', order: 'asc' }}
    />
  );
}
