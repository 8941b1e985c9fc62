'use client';
import Link from 'next/link';
import type { SparsityDetail } from '../../../server/client.ts';
import { architectureColour, architectureName } from '../../charts/architectureStyle.ts';
import { count, percent, significant } from '../../format/number.ts';
import { paths } from '../../client/paths.ts';
import { DataTable, type Column } from '../ui/DataTable.tsx';
import { HeatCell } from '../ui/HeatCell.tsx';
import { Panel } from '../ui/Panel.tsx';
import { TableLinks } from '../ui/TableLinks.tsx';
import { Term } from '../ui/Term.tsx';

type Layer = SparsityDetail['report']['layers'][number];

/** Layers × metrics, each cell shaded by its share: a heat map that can be read as a table. */
export function LayersPanel({ detail }: { detail: SparsityDetail }) {
  const { report } = detail;
  const colour = architectureColour(report.model.activation);
  const heat = (share: number, digits = 1) => (
    <HeatCell share={share} colour={colour} text={percent(share, digits)} />
  );
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
    {
      key: 'ratio',
      header: <Term of="activationRatio">Active</Term>,
      numeric: true,
      render: (row) => heat(row.activationRatio),
    },
    ...report.thresholds.map((threshold, index): Column<Layer> => ({
      key: `at ${threshold}`,
      header: `|a| > ${significant(threshold, 2)}`,
      numeric: true,
      ...(index === Math.floor(report.thresholds.length / 2) ? {} : { from: 640 as const }),
      render: (row) => heat(row.ratioAt[index] ?? 0),
    })),
    {
      key: 'cettRatio',
      header: <Term of="ratioAtCett">At CETT 0.2</Term>,
      numeric: true,
      render: (row) => heat(row.ratioAtCett),
    },
    {
      key: 'cett',
      header: <Term of="cett">CETT at 2 %</Term>,
      numeric: true,
      from: 480,
      render: (row) => heat(row.cett),
    },
    {
      key: 'dead',
      header: <Term of="deadRate">Dead</Term>,
      numeric: true,
      render: (row) => heat(row.deadRate),
    },
    {
      key: 'dynamic',
      header: <Term of="dynamicDeadRate">Dyn. dead</Term>,
      numeric: true,
      from: 480,
      render: (row) => heat(row.dynamicDeadRate),
    },
  ];
  if (report.layers.some((layer) => layer.attentionOverload !== undefined))
    columns.push({
      key: 'overload',
      header: <Term of="attentionOverload">Overload</Term>,
      numeric: true,
      from: 640,
      render: (row) => (row.attentionOverload === undefined ? '–' : heat(row.attentionOverload)),
    });
  if (report.layers.some((layer) => layer.spaceFolding !== undefined))
    columns.push({
      key: 'folding',
      header: <Term of="spaceFolding">Folding</Term>,
      numeric: true,
      from: 640,
      render: (row) => (row.spaceFolding === undefined ? '–' : heat(row.spaceFolding)),
    });
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

/** The report's tables that can be downloaded. */
function tablesOf({ interventions }: SparsityDetail['report']): string[] {
  return ['layers', 'neurons', 'curves', 'tokens', 'examples', ...(interventions ? ['tradeoff'] : [])];
}
