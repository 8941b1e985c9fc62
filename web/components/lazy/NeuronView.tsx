'use client';
import Link from 'next/link';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { featureView } from '../../../sae/spec/tables/features.ts';
import { loadingTable } from '../../../sae/spec/tables/loadings.ts';
import type { NeuronFeature } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { architectureName } from '../../charts/architectureStyle.ts';
import { count, figures, percent } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { describedColumn } from '../ui/describedColumn.tsx';
import { ExampleText } from '../features/ExampleText.tsx';
import examples from '../features/ExamplesPanel.module.css';
import { Loaded } from '../ui/Loaded.tsx';
import { PageHeader } from '../ui/PageHeader.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { Stats } from '../ui/Stat.tsx';
import { TableLinks } from '../ui/TableLinks.tsx';
import { Term } from '../ui/Term.tsx';
import { TokenRow } from '../ui/TokenRow.tsx';

/** A neuron as a key and a value: the tokens it fires on, the tokens it promotes, and the latents it is aligned with. */
export function NeuronView({ report, layer, neuron }: { report: string; layer: number; neuron: number }) {
  const trpc = useTRPC();
  const query = useQuery(
    trpc.sparsity.neuron.queryOptions({ name: report, layer, neuron }, { placeholderData: keepPreviousData }),
  );
  const total = query.data?.neurons;
  return (
    <>
      <PageHeader
        title={`Neuron ${neuron} of layer ${layer}`}
        crumbs={[
          { name: 'Lazy neurons', href: paths.lazy() },
          { name: report, href: `${paths.lazy()}?reports=${encodeURIComponent(report)}` },
          { name: `layer ${layer}`, href: paths.layer(report, layer) },
        ]}
        actions={
          <nav className="cluster" aria-label="Neighbouring neurons">
            {neuron > 0 && (
              <Link href={paths.neuron(report, layer, neuron - 1)} className="button" scroll={false}>
                Neuron {neuron - 1}
              </Link>
            )}
            {total !== undefined && neuron + 1 < total && (
              <Link href={paths.neuron(report, layer, neuron + 1)} className="button" scroll={false}>
                Neuron {neuron + 1}
              </Link>
            )}
          </nav>
        }
      >
        {query.data &&
          `${architectureName(query.data.activation)} MLP of ${query.data.model}; ${count(query.data.lazier)} of the layer’s ${count(query.data.neurons)} neurons fire less often.`}
      </PageHeader>
      <Loaded query={query} skeleton={<Skeleton height={480} />}>
        {(detail) => (
          <>
            <Stats
              items={[
                { label: <Term of="frequency" />, value: percent(detail.frequency, 2) },
                { label: 'mean when it fires', value: figures(detail.meanActivation) },
                { label: 'largest |a|', value: figures(detail.maxActivation) },
                { label: <Term of="outputNorm" />, value: figures(detail.outputNorm) },
              ]}
            />
            <Panel
              title="Where it fires"
              note="The stretches of text on which it is strongest, one a context; shade is |a| relative to the strongest."
            >
              {detail.examples.length === 0 ? (
                <p className="small muted">
                  {detail.maxActivation === 0
                    ? 'It fires on no token of this text, so there is nothing to show.'
                    : 'This report was made before examples were kept: measure again.'}
                </p>
              ) : (
                <ol className={examples.list}>
                  {detail.examples.map((example) => (
                    <li key={`${example.context} ${example.position}`} className={examples.item}>
                      <ExampleText
                        tokens={example.tokens}
                        activations={example.activations.map(Math.abs)}
                        peak={example.position - example.start}
                        max={detail.maxActivation}
                      />
                    </li>
                  ))}
                </ol>
              )}
              <TableLinks report={report} tables={['neurons', 'examples']} layer={layer} neuron={neuron} />
            </Panel>
            <div className="columns" style={{ '--column': '22rem' } as React.CSSProperties}>
              <Panel title="Key" note="Tokens on which it is strongest.">
                <TokenRow tokens={detail.topTokens} most={8} />
              </Panel>
              <Panel title="Value" note="Tokens its output promotes: W_down · W_U.">
                <TokenRow tokens={detail.promoted} most={8} />
              </Panel>
            </div>
            <Panel
              title="Features it is aligned with"
              note={
                <>
                  Latents of dictionaries on this model for which it is among the eight neurons with the
                  largest <Term of="loading" />.
                </>
              }
              flush
            >
              {detail.features.length === 0 ? (
                <p className="small muted" style={{ padding: '0 1rem 1rem' }}>
                  None: either no latent is aligned with it, or no dictionary of this model is indexed.
                </p>
              ) : (
                <DataTable
                  caption={`Features that neuron ${neuron} is aligned with`}
                  columns={featureColumns}
                  rows={detail.features}
                  rowKey={(row) => `${row.run} ${row.seed} ${row.latent}`}
                />
              )}
            </Panel>
          </>
        )}
      </Loaded>
    </>
  );
}

const featureColumns: Column<NeuronFeature>[] = [
  {
    key: 'feature',
    header: 'Feature',
    render: (row) => (
      <Link href={paths.feature(row.run, row.seed, row.latent)}>
        {row.run}, seed {row.seed}, latent {row.latent}
      </Link>
    ),
  },
  describedColumn(loadingTable, 'cosine', {}),
  describedColumn(featureView, 'stability', {}),
  describedColumn(featureView, 'density', { from: 640 }),
  describedColumn(featureView, 'promotedTokens', {
    from: 640,
    render: (row) => <TokenRow tokens={row.promoted} most={4} />,
  }),
];
