'use client';
import { useMemo } from 'react';
import type { Subspaces } from '../../../sae/spec/reproducibility/subspaces.ts';
import { lineChart, type LineSeries } from '../../charts/lineChart.ts';
import { chanceColour } from '../../charts/sharedCurve.ts';
import { count, fixed, percent } from '../../format/number.ts';
import { seriesCsv } from '../lazy/seriesCsv.ts';
import { ChartFigure } from '../ui/ChartFigure.tsx';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Legend } from '../ui/Legend.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Stats } from '../ui/Stat.tsx';
import { Term } from '../ui/Term.tsx';

/** Clusters that are shown; the report has more. */
const shown = 10;

type Cluster = Subspaces['clusters']['largest'][number] & { number: number };

const columns: Column<Cluster>[] = [
  { key: 'number', header: 'Cluster', render: ({ number }) => `${number}` },
  { key: 'latents', header: 'Features', numeric: true, render: ({ latents }) => count(latents) },
  {
    key: 'bySeed',
    header: 'By seed',
    numeric: true,
    from: 640,
    render: ({ bySeed }) => bySeed.map((own) => count(own)).join(', '),
  },
  {
    key: 'rank',
    header: 'Dimensions',
    numeric: true,
    from: 480,
    render: ({ rank }) => fixed(rank, 1),
  },
  { key: 'share', header: 'Inside', numeric: true, render: ({ share }) => percent(share, 0) },
  {
    key: 'chance',
    header: 'By chance',
    numeric: true,
    from: 480,
    render: ({ chance }) => percent(chance, 0),
  },
  { key: 'found', header: 'Found', render: ({ found }) => (found ? 'yes' : 'no') },
];

/** What becomes of the features that do not come back: whether the space that they fill does. */
export function SubspacesPanel({
  run,
  subspaces,
  colour,
}: {
  run: string;
  subspaces: Subspaces;
  colour: string;
}) {
  const { seeds, rank, affinity, found, clusters } = subspaces;
  const latents = seeds.reduce((sum, own) => sum + own.latents, 0);
  const lines = useMemo((): LineSeries[] => {
    const over = (cosines: readonly number[]) => ({ x: cosines.map((_, at) => at + 1), y: cosines });
    return [
      { name: 'random directions', colour: chanceColour, ...over(subspaces.cosinesByChance) },
      { name: 'two seeds', colour, ...over(subspaces.cosines) },
    ];
  }, [subspaces, colour]);
  const rows = clusters.largest.slice(0, shown).map((one, at) => ({ ...one, number: at + 1 }));
  return (
    <Panel
      title="Not found again: is its subspace?"
      note={
        <>
          The {count(latents)} features that come back in fewer than half of the other seeds.{' '}
          {percent(found.share)} of them lie in the space of the other seeds’ such features beyond chance.
        </>
      }
    >
      <Stats
        items={[
          {
            label: 'subspace found',
            value: percent(found.share),
            note: `false discovery rate ${percent(found.q, 0)}`,
          },
          {
            label: <Term of="itsSubspace">inside it</Term>,
            value: percent(found.inside),
            note: `of the squared norm; chance ${percent(found.insideByChance)}`,
          },
          {
            label: 'dimensions',
            value: seeds.map((own) => fixed(own.participationRatio, 1)).join(', '),
            note: `participation ratio by seed; entropy rank ${seeds.map((own) => fixed(own.entropyRank, 1)).join(', ')}`,
          },
          {
            label: <Term of="affinity" />,
            value: fixed(affinity.seeds, 2),
            note: `of the leading ${rank}; random directions ${fixed(affinity.chance, 2)}, random spaces ${fixed(affinity.random, 2)}${affinity.components === null ? '' : `, principal components ${fixed(affinity.components, 2)}`}`,
          },
          {
            label: 'clusters found',
            value: `${count(clusters.found)} of ${count(clusters.count)}`,
            note: `with ${count(clusters.latentsFound)} of ${count(clusters.latents)} features`,
          },
        ]}
      />
      <div
        className="columns"
        style={{ '--column': '22rem', marginTop: 'var(--s-4)' } as React.CSSProperties}
      >
        <ChartFigure
          title="Principal angles between seeds"
          note={`Cosines between the leading ${rank} dimensions, averaged over pairs.`}
          name={`${run}-subspace-angles`}
          csv={seriesCsv('x', 'y')}
          data={lines}
          draw={(drawn, size) =>
            lineChart(drawn, {
              ...size,
              label: 'Cosines of the principal angles between the spaces of two seeds, largest first',
              x: { label: 'principal angle', format: (value) => String(value) },
              y: { label: 'cosine', format: (value) => fixed(value, 1), domain: [0, 1] },
              dots: lines[1].x.length < 40,
            })
          }
          legend={<Legend items={lines.map(({ name, colour: ink }) => ({ name, colour: ink }))} />}
        />
        <div>
          <p className="small muted" style={{ marginBottom: 'var(--s-2)' }}>
            The largest clusters: the share of a member inside the space of the other seeds’ members.
          </p>
          <DataTable
            caption="Clusters of features that do not come back"
            columns={columns}
            rows={rows}
            rowKey={({ number }) => String(number)}
          />
        </div>
      </div>
    </Panel>
  );
}
