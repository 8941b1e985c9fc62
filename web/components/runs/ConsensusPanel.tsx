import Link from 'next/link';
import type { RunManifest } from '../../../sae/spec/manifests/run.ts';
import { paths } from '../../client/paths.ts';
import { count } from '../../format/number.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Panel } from '../ui/Panel.tsx';

type Consensus = NonNullable<RunManifest['consensus']>;
type Row = Consensus['dictionaries'][number] & { seed: number };

/** Where the dictionaries of a consensus come from. */
export function ConsensusPanel({ manifest }: { manifest: RunManifest & { consensus: Consensus } }) {
  const { consensus, config } = manifest;
  const { run, minSupport, threshold } = consensus;
  const columns: Column<Row>[] = [
    { key: 'seed', header: 'Dictionary', render: ({ seed }) => String(seed) },
    {
      key: 'parents',
      header: 'From seeds',
      render: ({ parents }) =>
        parents.map((seed, at) => (
          <span key={seed}>
            {at > 0 && ', '}
            <Link href={paths.dictionary(run, seed)}>{seed}</Link>
          </span>
        )),
    },
    { key: 'agreed', header: 'Agreed on', numeric: true, render: ({ agreed }) => count(agreed) },
    {
      key: 'support',
      header: 'Pooled latents by seeds that have them',
      numeric: true,
      from: 640,
      render: ({ support }) => support.map((latents) => count(latents)).join(', '),
    },
  ];
  return (
    <Panel
      title={minSupport > 1 ? 'Consensus of seeds' : 'Seeds trained further'}
      note={
        <>
          Training began with seeds of <Link href={paths.run(run)}>{run}</Link>
          {minSupport > 1 &&
            `: latents that ${minSupport} seeds or more have (both cosines ≥ ${threshold}) are averaged, the most valuable others fill up the ${count(config.width)}`}
          .
        </>
      }
      flush
    >
      <DataTable
        caption="What each dictionary began with"
        columns={columns}
        rows={consensus.dictionaries.map((own, at) => ({ ...own, seed: config.seeds[at] ?? at }))}
        rowKey={({ seed }) => String(seed)}
      />
    </Panel>
  );
}
