'use client';
import Link from 'next/link';
import { layerMetricOf, type LayerMetricName } from '../../../sae/spec/layerMetrics/layerMetrics.ts';
import type { SparsityDetail } from '../../../server/client.ts';
import { architectureColour, architectureName } from '../../charts/architectureStyle.ts';
import { count, percent, significant } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { capitalised, measuredIn, metricText } from './layerMetric.ts';
import { HeatCell } from '../ui/HeatCell.tsx';
import { Panel } from '../ui/Panel.tsx';
import { TableLinks } from '../ui/TableLinks.tsx';
import { Term } from '../ui/Term.tsx';

type Layer = SparsityDetail['report']['layers'][number];

/** Layers × metrics, each cell shaded by its share: a heat map that can be read as a table. */
export function LayersPanel({ detail }: { detail: SparsityDetail }) {
  const { report } = detail;
  const colour = architectureColour(report.model.activation);
  const columns: Column<Layer>[] = [
    {
      key: 'layer',
      header: 'Layer',
      render: (row) => (
        <Link
          href={paths.layer(report.name, row.layer)}
          aria-label={`Neurons of layer ${row.layer} of ${report.name}`}
        >
          {row.layer}
        </Link>
      ),
    },
    ...measuredIn([detail]).flatMap((name) => [
      metricColumn(name, colour),
      // The same share above other thresholds than 0.
      ...(name === 'activationRatio' ? thresholdColumns(report.thresholds, colour) : []),
    ]),
  ];
  return (
    <Panel
      title={`${architectureName(report.model.activation)}: ${report.name}`}
      note={`${report.model.name}${report.model.gated ? ', gated' : ''}; ${count(report.tokens)} tokens of ${report.text}. A layer opens its neurons.`}
      flush
    >
      <DataTable
        spread
        caption={`Layers of ${report.name}`}
        columns={columns}
        rows={report.layers}
        rowKey={(row) => String(row.layer)}
      />
      <TableLinks report={report.name} tables={tablesOf(report)} />
    </Panel>
  );
}

function metricColumn(name: LayerMetricName, colour: string): Column<Layer> {
  const { label, from } = layerMetricOf(name);
  return {
    key: name,
    header: <Term of={name}>{capitalised(label)}</Term>,
    numeric: true,
    ...(from ? { from } : {}),
    render: ({ [name]: value }) =>
      value === undefined ? '–' : <HeatCell share={value} colour={colour} text={metricText(name, value)} />,
  };
}

function thresholdColumns(thresholds: readonly number[], colour: string): Column<Layer>[] {
  return thresholds.map((threshold, index) => ({
    key: `at ${threshold}`,
    header: `|a| > ${significant(threshold, 2)}`,
    numeric: true,
    ...(index === Math.floor(thresholds.length / 2) ? {} : { from: 640 as const }),
    render: ({ ratioAt }) => (
      <HeatCell share={ratioAt[index] ?? 0} colour={colour} text={percent(ratioAt[index] ?? 0)} />
    ),
  }));
}

/** The report's tables that can be downloaded. */
function tablesOf({ interventions }: SparsityDetail['report']): string[] {
  return ['layers', 'neurons', 'curves', 'tokens', 'examples', ...(interventions ? ['tradeoff'] : [])];
}
