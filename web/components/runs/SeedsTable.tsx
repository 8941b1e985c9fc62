'use client';
import Link from 'next/link';
import type { RunDetail } from '../../../server/client.ts';
import { seedColour, seedDash } from '../../charts/architectureStyle.ts';
import { fixed, percent, significant } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Term } from '../ui/Term.tsx';

type Seed = RunDetail['seeds'][number] & { run: string; architecture: string; index: number };

const columns: Column<Seed>[] = [
  {
    key: 'seed',
    header: 'Seed',
    render: (row) => (
      <span className="cluster">
        <svg width="16" height="8" aria-hidden="true">
          <path
            d="M0 4h16"
            stroke={seedColour(row.architecture, row.index)}
            strokeWidth="2"
            strokeDasharray={seedDash(row.index)}
          />
        </svg>
        <Link href={paths.dictionary(row.run, row.seed)}>seed {row.seed}</Link>
        {row.evaluationFault && (
          <span className="xs faint">
            {row.evaluationFault === 'damaged'
              ? 'evaluation damaged: evaluate again'
              : 'evaluation of a newer Lazyscope'}
          </span>
        )}
        {!row.indexed && <span className="xs faint">not indexed</span>}
      </span>
    ),
  },
  { key: 'l0', header: <Term of="l0" />, numeric: true, render: (row) => significant(row.evaluation?.l0) },
  { key: 'fvu', header: <Term of="fvu" />, numeric: true, render: (row) => fixed(row.evaluation?.fvu) },
  {
    key: 'medianFvu',
    header: <Term of="medianFvu" />,
    numeric: true,
    from: 900,
    render: (row) => fixed(row.evaluation?.medianFvu),
  },
  {
    key: 'ce',
    header: <Term of="ceRecovered">CE rec.</Term>,
    numeric: true,
    render: (row) => <CeRecovered {...row} />,
  },
  {
    key: 'dead',
    header: <Term of="dead" />,
    numeric: true,
    from: 480,
    render: (row) => percent(row.evaluation?.deadFraction),
  },
  {
    key: 'kl',
    header: <Term of="kl" />,
    numeric: true,
    from: 640,
    render: (row) => fixed(row.evaluation?.klDivergence),
  },
  {
    key: 'cosine',
    header: 'Cosine',
    numeric: true,
    from: 640,
    render: (row) => fixed(row.evaluation?.cosine),
  },
  {
    key: 'bias',
    header: <Term of="reconstructionBias" />,
    numeric: true,
    from: 640,
    render: (row) => fixed(row.evaluation?.reconstructionBias),
  },
  {
    key: 'loss',
    header: 'Loss clean → SAE',
    numeric: true,
    from: 900,
    render: (row) =>
      row.evaluation?.crossEntropy
        ? `${fixed(row.evaluation.crossEntropy.clean)} → ${fixed(row.evaluation.crossEntropy.sae)}`
        : '–',
  },
  {
    key: 'zero',
    header: 'zeros',
    numeric: true,
    from: 900,
    render: (row) => fixed(row.evaluation?.crossEntropy?.zero),
  },
];

/** The share with half of its interval, whose ends and origin are said where the pointer rests. */
function CeRecovered({ evaluation }: Pick<Seed, 'evaluation'>) {
  const share = percent(evaluation?.ceRecovered);
  const intervals = evaluation?.lossIntervals;
  if (!intervals?.ceRecovered) return share;
  const [low, high] = intervals.ceRecovered;
  const level = Math.round(100 * intervals.level);
  return (
    <span
      title={`${level} % interval ${percent(low, 2)} to ${percent(high, 2)}, by a bootstrap over ${intervals.contexts} contexts`}
    >
      {share} <span className="faint">± {significant(50 * (high - low), 1)}</span>
    </span>
  );
}

export function SeedsTable({ detail }: { detail: RunDetail }) {
  const { name, config } = detail.manifest;
  const rows = detail.seeds.map((seed, index) => ({
    ...seed,
    run: name,
    architecture: config.architecture,
    index,
  }));
  return (
    <DataTable
      spread
      caption="Evaluation of each seed"
      columns={columns}
      rows={rows}
      rowKey={(row) => String(row.seed)}
    />
  );
}
