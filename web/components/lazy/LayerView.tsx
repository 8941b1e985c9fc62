'use client';
import Link from 'next/link';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { sparsityNeuronTable } from '../../../sae/spec/tables/sparsityNeurons.ts';
import { sortsOf } from '../../../sae/spec/tables/table.ts';
import type { NeuronRow } from '../../../server/client.ts';
import { useTRPC } from '../../client/trpc.ts';
import { useUrlState } from '../../client/useUrlState.ts';
import { architectureColour, architectureName } from '../../charts/architectureStyle.ts';
import { count, significant } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { wholeNumber } from '../../format/wholeNumber.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { describedColumn, printed } from '../ui/describedColumn.tsx';
import { EmptyState } from '../ui/EmptyState.tsx';
import { Loaded } from '../ui/Loaded.tsx';
import { Meter } from '../ui/Meter.tsx';
import { PageHeader } from '../ui/PageHeader.tsx';
import { Pager } from '../ui/Pager.tsx';
import { Panel } from '../ui/Panel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { Skeleton } from '../ui/Skeleton.tsx';
import { Stats } from '../ui/Stat.tsx';
import { measuredIn, metricText } from './layerMetric.ts';
import { TableLinks } from '../ui/TableLinks.tsx';
import { Term } from '../ui/Term.tsx';
import { TokenRow } from '../ui/TokenRow.tsx';

const defaults = { sort: 'frequency', order: 'desc', offset: '0', firing: 'all' };
const firings = [
  { value: 'all', name: 'All' },
  { value: 'firing', name: 'Firing' },
  { value: 'dead', name: 'Dead' },
] as const;
const limit = 50;

export function LayerView({ report: name, layer }: { report: string; layer: number }) {
  const trpc = useTRPC();
  const [state, change] = useUrlState(defaults);
  const sort = sortsOf(sparsityNeuronTable).find((one) => one === state.sort) ?? 'frequency';
  const order = state.order === 'asc' ? 'asc' : 'desc';
  const firing = firings.find(({ value }) => value === state.firing)?.value ?? 'all';
  const offset = wholeNumber(state.offset) ?? 0;
  const detail = useQuery(trpc.sparsity.get.queryOptions({ name }));
  const neurons = useQuery(
    trpc.sparsity.neurons.queryOptions(
      { name, layer, sort, firing, order, offset, limit },
      { placeholderData: keepPreviousData },
    ),
  );
  const report = detail.data?.report;
  const here = report?.layers.find((one) => one.layer === layer);
  const colour = architectureColour(report?.model.activation ?? '');
  const missing = report !== undefined && here === undefined;
  const middle = report?.thresholds[Math.floor(report.thresholds.length / 2)];
  return (
    <>
      <PageHeader
        title={missing ? `There is no layer ${layer}` : `Neurons of layer ${layer}`}
        crumbs={[
          { name: 'Lazy neurons', href: paths.lazy() },
          { name, href: paths.report(name) },
        ]}
        actions={
          report && (
            <nav className="cluster" aria-label="Layers">
              {report.layers.map((one) => (
                <Link
                  key={one.layer}
                  href={paths.layer(name, one.layer)}
                  className={one.layer === layer ? 'button primary' : 'button'}
                  aria-current={one.layer === layer ? 'page' : undefined}
                >
                  {one.layer}
                </Link>
              ))}
            </nav>
          )
        }
      >
        {report &&
          `${architectureName(report.model.activation)} MLP of ${report.model.name}, over ${count(report.tokens)} tokens.`}
      </PageHeader>
      {report && here && (
        <Stats
          items={[
            { label: 'neurons', value: count(here.neurons) },
            ...measuredIn([{ report }]).map((metric) => ({
              label: <Term of={metric} />,
              value: here[metric] === undefined ? '–' : metricText(metric, here[metric]),
            })),
          ]}
        />
      )}
      {missing ? (
        <EmptyState title={`${name} has layers 0 to ${report.layers.length - 1}`}>
          Choose one of them above.
        </EmptyState>
      ) : (
        <Panel
          title="Neurons"
          note="Fires on: tokens on which it is strongest. Writes: tokens its output promotes. A number opens the neuron."
          actions={
            <Segmented
              label="Which neurons"
              value={firing}
              options={firings}
              change={(to) => change({ firing: to, offset: '0' })}
            />
          }
          flush
        >
          <Loaded
            query={neurons}
            skeleton={
              <div style={{ padding: '0 1rem 1rem' }}>
                <Skeleton lines={14} />
              </div>
            }
          >
            {(page) => (
              <>
                <DataTable
                  caption={`Neurons of layer ${layer}`}
                  columns={columnsOf(name, { colour, threshold: middle, layer: here })}
                  rows={page.rows}
                  rowKey={(row) => String(row.neuron)}
                  dim={neurons.isPlaceholderData}
                  sorting={{
                    by: sort,
                    order,
                    change: (by, to) => change({ sort: by, order: to, offset: '0' }),
                  }}
                />
                {page.total === 0 && (
                  <p className="small muted" style={{ padding: '0 1rem 1rem' }}>
                    {firing === 'dead'
                      ? 'Every neuron of this layer fires somewhere in the text.'
                      : 'No neuron of this layer fires anywhere in the text.'}
                  </p>
                )}
                <Pager
                  offset={offset}
                  limit={limit}
                  total={page.total}
                  noun="neurons"
                  change={(to) => change({ offset: String(to) })}
                />
                <TableLinks
                  report={name}
                  tables={['neurons', 'layers', 'curves', 'examples']}
                  layer={layer}
                />
              </>
            )}
          </Loaded>
        </Panel>
      )}
    </>
  );
}

interface Shown {
  colour: string;
  threshold: number | undefined;
  layer: { neurons: number; experts?: { each: readonly unknown[] } | undefined } | undefined;
}

function columnsOf(report: string, { colour, threshold, layer }: Shown): Column<NeuronRow>[] {
  const table = sparsityNeuronTable;
  const experts = layer?.experts?.each.length;
  return [
    describedColumn(table, 'neuron', {
      render: (row) => <Link href={paths.neuron(report, row.layer, row.neuron)}>{row.neuron}</Link>,
    }),
    ...(layer && experts
      ? [
          {
            key: 'expert',
            header: 'Expert',
            render: (row: NeuronRow) => Math.floor((row.neuron * experts) / layer.neurons),
          },
          describedColumn(table, 'routed', {
            from: 480,
            render: (row: NeuronRow) => printed(row.routed, table.routed),
          }),
        ]
      : []),
    describedColumn(table, 'frequency', {
      render: (row) => (
        <Meter share={row.frequency} text={printed(row.frequency, table.frequency)} colour={colour} />
      ),
    }),
    describedColumn(table, 'frequencyAt', {
      ...(threshold === undefined ? {} : { header: `|a| > ${significant(threshold, 2)}` }),
      from: 640,
    }),
    describedColumn(table, 'meanActivation', { from: 900 }),
    describedColumn(table, 'maxActivation', { from: 640 }),
    describedColumn(table, 'outputNorm', { from: 900 }),
    describedColumn(table, 'topTokens', { render: (row) => <TokenRow tokens={row.topTokens} most={5} /> }),
    describedColumn(table, 'promotedTokens', {
      from: 480,
      render: (row) => <TokenRow tokens={row.promoted} most={5} />,
    }),
  ];
}
