'use client';
import Link from 'next/link';
import { useQuery } from '@tanstack/react-query';
import { isJoint } from '../../../sae/spec/jointHook.ts';
import type { ComparisonManifest } from '../../../sae/spec/manifests/comparison.ts';
import { count, fixed, percent, significant } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { useTRPC } from '../../client/trpc.ts';
import { Command } from '../ui/Command.tsx';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Term } from '../ui/Term.tsx';

/** All measures of the comparison for both dictionaries, and the functional swap: the model's loss with latents exchanged. */
export function MeasuresPanel({ manifest }: { manifest: ComparisonManifest }) {
  const { measures } = manifest;
  const trpc = useTRPC();
  const { data: run } = useQuery(trpc.runs.get.queryOptions({ name: manifest.a.run }));
  // Latents of crosscoders stand at several hook points, and nothing is put in their place.
  const crosscoder = run && isJoint(run.manifest.config.hook);
  return (
    <Panel
      title="By every measure"
      note={
        measures && (
          <>
            Both matchings agree on {percent(measures.agreement)} of a’s {count(manifest.latents)} latents,
            whatever the cosines; b has {count(measures.otherLatents)}. Matchings and swap are at the
            threshold of the comparison, {manifest.threshold}, wherever the line above stands.
          </>
        )
      }
      flush
    >
      {measures && (
        <DataTable
          caption="Measures of both matchings"
          columns={measureColumns}
          rows={(['decoder', 'encoder'] as const).map((side) => ({ side, ...measures[side] }))}
          rowKey={(row) => row.side}
        />
      )}
      {manifest.swap ? (
        <DataTable
          caption="Functional swap"
          columns={swapColumns}
          rows={swapRows(manifest.swap)}
          rowKey={(row) => row.name}
        />
      ) : crosscoder ? null : (
        <div style={{ padding: 'var(--s-3) var(--s-4) var(--s-4)' }}>
          <p className="small muted" style={{ marginBottom: 'var(--s-2)' }}>
            What the model makes of it when b’s latents stand in for a’s is not measured yet:
          </p>
          <Command text={`npx lazyscope compare ${reference(manifest.a)} ${reference(manifest.b)} --swap`} />
          <p className="small" style={{ marginTop: 'var(--s-2)' }}>
            <Link href={swapJob(manifest)}>Measure it here</Link>
          </p>
        </div>
      )}
    </Panel>
  );
}

function swapJob({ name, a, b }: ComparisonManifest): string {
  return paths.startJob('compare', { a: reference(a), b: reference(b), name, swap: 'on' });
}

const reference = ({ run, seed }: ComparisonManifest['a']) => `${run}/${seed}`;

type Measures = NonNullable<ComparisonManifest['measures']>['decoder'] & { side: string };

const measureColumns: Column<Measures>[] = [
  { key: 'side', header: 'Rows of the', render: (row) => row.side },
  {
    key: 'matched',
    header: 'Optimal matching',
    numeric: true,
    render: (row) => percent(row.matched),
  },
  { key: 'greedy', header: 'Greedy', numeric: true, render: (row) => percent(row.greedy) },
  { key: 'mmcs', header: <Term of="mmcs" />, numeric: true, render: (row) => fixed(row.mmcs) },
  { key: 'pwMcc', header: <Term of="pwMcc" />, numeric: true, render: (row) => fixed(row.pwMcc) },
  {
    key: 'gap',
    header: <Term of="gap" />,
    numeric: true,
    from: 480,
    render: (row) => (row.gap < 1e-9 ? '0' : significant(row.gap, 2)),
  },
];

type Swap = NonNullable<ComparisonManifest['swap']>;
interface SwapRow {
  name: string;
  latents: number;
  fvu: number | null;
  crossEntropy: number;
  /** Cross-entropy above that of the unchanged model, in nats. */
  added: number;
}

function swapRows(swap: Swap): SwapRow[] {
  const row = (name: string, scores: Swap['own']) => ({
    name,
    ...scores,
    added: scores.crossEntropy - swap.clean,
  });
  return [
    row('a as it is', swap.own),
    row('shared latents are b’s', swap.shared),
    row('all matched latents are b’s', swap.matched),
    row('shared latents silenced', swap.silenced),
  ];
}

const swapColumns: Column<SwapRow>[] = [
  { key: 'name', header: 'Functional swap', render: (row) => row.name },
  { key: 'latents', header: 'Latents', numeric: true, from: 480, render: (row) => count(row.latents) },
  { key: 'fvu', header: 'FVU', numeric: true, render: (row) => fixed(row.fvu) },
  {
    key: 'crossEntropy',
    header: 'CE, nats',
    numeric: true,
    from: 480,
    render: (row) => fixed(row.crossEntropy),
  },
  { key: 'added', header: 'above clean', numeric: true, render: (row) => fixed(row.added) },
];
