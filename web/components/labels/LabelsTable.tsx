'use client';
import Link from 'next/link';
import type { LabelRow } from '../../../server/client.ts';
import { paths } from '../../client/paths.ts';
import { DataTable, type Column, type Sorting } from '../ui/DataTable.tsx';
import { LabelScoreText } from './LabelScoreText.tsx';
import styles from './LabelsView.module.css';
import { SourceText } from './SourceText.tsx';
import { StarButton } from './StarButton.tsx';

const columns: Column<LabelRow>[] = [
  {
    key: 'label',
    header: 'Label',
    sort: 'label',
    render: ({ run, seed, latent, label, note }) => (
      <div className={styles.label}>
        <Link href={paths.feature(run, seed, latent)}>{label ?? `Latent ${latent}`}</Link>
        {note !== '' && <div className={`xs muted ${styles.note}`}>{note}</div>}
      </div>
    ),
  },
  {
    key: 'feature',
    header: 'Feature',
    sort: 'feature',
    render: ({ run, seed, latent }) => (
      <span className="small num">
        <Link href={paths.dictionary(run, seed)} className="plain">
          {run} / {seed}
        </Link>{' '}
        / {latent}
      </span>
    ),
  },
  {
    key: 'source',
    header: 'Source',
    sort: 'source',
    from: 640,
    render: ({ source }) => (
      <span className="small">
        <SourceText source={source} />
      </span>
    ),
  },
  {
    key: 'detection',
    header: 'Detection',
    sort: 'detection',
    numeric: true,
    from: 480,
    render: ({ detection }) => <LabelScoreText score={detection} />,
  },
  {
    key: 'fuzzing',
    header: 'Fuzzing',
    sort: 'fuzzing',
    numeric: true,
    from: 900,
    render: ({ fuzzing }) => <LabelScoreText score={fuzzing} />,
  },
  {
    key: 'updatedAt',
    header: 'Changed',
    sort: 'updatedAt',
    from: 900,
    render: ({ updatedAt }) => <span className="small num">{updatedAt?.slice(0, 10) ?? ''}</span>,
  },
  {
    key: 'star',
    header: <span className="visually-hidden">Star</span>,
    tight: true,
    render: ({ run, seed, latent, lists }) => <StarButton {...{ run, seed, latent, lists }} />,
  },
];

export function LabelsTable({
  rows,
  sorting,
  dim,
}: {
  rows: readonly LabelRow[];
  sorting: Sorting;
  dim: boolean;
}) {
  return (
    <DataTable
      caption="Labels"
      columns={columns}
      rows={rows}
      rowKey={({ run, seed, latent }) => `${run} ${seed} ${latent}`}
      sorting={sorting}
      dim={dim}
      csv={false}
    />
  );
}
