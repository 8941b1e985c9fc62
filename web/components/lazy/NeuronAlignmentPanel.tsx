'use client';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { NeuronAlignment, SparsityDetail } from '../../../server/client.ts';
import { csvText, saveCsv } from '../../client/saveCsv.ts';
import { useTRPC } from '../../client/trpc.ts';
import { useUrlChoice } from '../../client/useUrlState.ts';
import { count, fixed, percent } from '../../format/number.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { Term } from '../ui/Term.tsx';

type Group = NeuronAlignment['groups'][number];

/** Neuron–feature alignment against stability: do features found again in other seeds align with rarely firing neurons? */
export function NeuronAlignmentPanel({ reports }: { reports: readonly SparsityDetail[] }) {
  const trpc = useTRPC();
  const runs = useQuery(trpc.runs.list.queryOptions());
  const pairs = useMemo(
    () =>
      reports.flatMap(({ report }) =>
        [...new Map((runs.data ?? []).filter((run) => run.indexed).map((run) => [run.name, run])).values()]
          .filter((run) => run.model === report.model.name)
          .map((run) => ({ report: report.name, run: run.name, seed: run.seed })),
      ),
    [reports, runs.data],
  );
  const [chosen, setChosen] = useUrlChoice('aligned', ['', ...pairs.map(({ run }) => run)], '');
  const pair = pairs.find(({ run }) => run === chosen) ?? pairs[0];
  if (!pair) return null;
  return (
    <Panel
      title="Neuron–feature alignment"
      note={
        <>
          Do features found again in other seeds align with lazy neurons? Latents of a dictionary by{' '}
          <Term of="stability" />, and how often the neurons with their largest{' '}
          <Term of="loading">loadings</Term> fire.
        </>
      }
      actions={
        pairs.length > 1 && (
          <Segmented
            label="Run"
            value={pair.run}
            options={pairs.map(({ run }) => ({ value: run, name: run }))}
            change={setChosen}
          />
        )
      }
    >
      <AlignmentTable {...pair} />
    </Panel>
  );
}

function AlignmentTable({ report, run, seed }: { report: string; run: string; seed: number }) {
  const trpc = useTRPC();
  const query = useQuery(trpc.sparsity.neuronAlignment.queryOptions({ name: report, run, seed }));
  return (
    <Loaded query={query} skeleton={<Skeleton lines={4} />}>
      {(found) =>
        found.groups.length === 0 ? (
          <p className="small muted">
            {found.latent.length === 0
              ? `No MLP lies before ${found.hook}, so no neuron has a loading on it.`
              : 'This run is not compared with another seed yet, so the stability of its latents is unknown.'}
          </p>
        ) : (
          <>
            <DataTable
              spread
              caption={`Latents of ${run}, seed ${seed}, by stability`}
              columns={columns}
              rows={found.groups}
              rowKey={(row) => String(row.stability)}
            />
            <p>
              <button
                type="button"
                className="button"
                onClick={() => saveCsv(alignmentCsv(found), `neuron-alignment-${run}-${seed}`)}
              >
                Save every latent as CSV
              </button>
            </p>
            {found.correlation !== null && (
              <p className="small muted">
                Rank correlation of stability with firing frequency: {fixed(found.correlation, 2)} over{' '}
                {count(found.latent.length)} live latents of {run}, seed {seed}.
              </p>
            )}
          </>
        )
      }
    </Loaded>
  );
}

function alignmentCsv(found: NeuronAlignment): string {
  return csvText(
    ['latent', 'stability', 'layer', 'neuron', 'cosine', 'frequency'],
    found.latent.map((latent, i) => [
      latent,
      found.stability[i] ?? null,
      found.layer[i]!,
      found.neuron[i]!,
      found.cosine[i]!,
      found.frequency[i]!,
    ]),
  );
}

const columns: Column<Group>[] = [
  {
    key: 'stability',
    header: <Term of="stability" />,
    numeric: true,
    render: (row) => percent(row.stability, 0),
  },
  { key: 'latents', header: 'Latents', numeric: true, render: (row) => count(row.latents) },
  { key: 'cosine', header: '|cosine|', numeric: true, render: (row) => fixed(row.cosine, 2) },
  {
    key: 'frequency',
    header: 'Nearest neuron fires on',
    numeric: true,
    render: (row) => percent(row.frequency),
  },
  {
    key: 'weighted',
    header: 'Eight nearest fire on',
    numeric: true,
    from: 480,
    render: (row) => percent(row.weightedFrequency),
  },
];
