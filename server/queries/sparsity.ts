import { existsSync } from 'node:fs';
import { isLazyscopeError, LazyscopeError } from '../../sae/errors.ts';
import { withoutPlace } from '../../sae/models/modelPlace.ts';
import { sparsityReportKind } from '../../sae/spec/manifests/sparsityReport.ts';
import type { SparsityReport } from '../../sae/spec/manifests/sparsityReport.ts';
import { meanOverNeurons } from '../../sae/spec/layerMetrics/layerMetrics.ts';
import { sparsityCurveTable } from '../../sae/spec/tables/sparsityCurves.ts';
import { sparsityNeuronTable } from '../../sae/spec/tables/sparsityNeurons.ts';
import { sparsityPositionTable } from '../../sae/spec/tables/sparsityPositions.ts';
import type { SparsityTableName } from '../../sae/spec/tables/sparsityTables.ts';
import { queryParquet } from '../../sae/store/parquet.ts';
import { queryRows } from '../../sae/store/queryRows.ts';
import { columnList, orderOf, storedTable } from '../../sae/store/tableSql.ts';
import type { ServerContext } from '../context.ts';
import type { NeuronListInput, NeuronRow, SparsityDetail, SparsityRow } from '../contract/sparsity.ts';
import type { Page } from '../contract/tokens.ts';
import { openTableFile } from './openTableFile.ts';
import { manifestsIn, type Manifests } from './manifestsIn.ts';
import { neuronRow } from './neuronRows.ts';

export async function sparsityReports({
  store,
  manifests,
}: ServerContext): Promise<Manifests<SparsityReport>> {
  return manifestsIn(manifests, {
    folder: store.sparsities(),
    pathOf: (name) => store.sparsityReport(name),
    kind: sparsityReportKind,
  });
}

export async function listSparsity(server: ServerContext): Promise<SparsityRow[]> {
  const { manifests: reports } = await sparsityReports(server);
  return reports.map((report) => {
    const { layers, model } = report;
    const neurons = layers.reduce((sum, layer) => sum + layer.neurons, 0);
    return {
      name: report.name,
      createdAt: report.createdAt,
      model: model.name,
      activation: model.activation,
      gated: model.gated,
      text: report.text,
      tokens: report.tokens,
      crossEntropy: report.crossEntropy,
      layers: layers.length,
      neurons,
      ...meanOverNeurons(layers),
    };
  });
}

export async function reportOf({ store, manifests }: ServerContext, name: string): Promise<SparsityReport> {
  const path = store.sparsityReport(name);
  if (!existsSync(path))
    throw new LazyscopeError('not_found', `There is no sparsity report '${name}': see the list of reports.`);
  return manifests.read(path, sparsityReportKind);
}

export async function getSparsity(server: ServerContext, name: string): Promise<SparsityDetail> {
  const report = await reportOf(server, name);
  const [curves, positions] = await Promise.all([
    queryRows(
      sparsityCurveTable,
      `SELECT ${columnList(sparsityCurveTable)} FROM ${storedTable(sparsityCurveTable)} ORDER BY layer, threshold`,
      { path: server.store.sparsityTable(name, 'curves') },
    ),
    queryRows(
      sparsityPositionTable,
      `SELECT ${columnList(sparsityPositionTable)} FROM ${storedTable(sparsityPositionTable)} ORDER BY layer, position`,
      { path: server.store.sparsityTable(name, 'layers') },
    ),
  ]);
  return {
    report: { ...report, model: withoutPlace(report.model) },
    curves: byLayer(curves),
    positions: byLayer(positions),
  };
}

/** From rows to one object a layer that has the other columns as lists. */
function byLayer<Row extends { layer: number }>(rows: readonly Row[]) {
  type Columns = { [Name in Exclude<keyof Row, 'layer'>]: Row[Name][] };
  return [...new Set(rows.map(({ layer }) => layer))].map((layer) => {
    const own = rows.filter((row) => row.layer === layer);
    const names = Object.keys(own[0]).filter((name) => name !== 'layer') as (keyof Columns)[];
    return {
      layer,
      ...(Object.fromEntries(names.map((name) => [name, own.map((row) => row[name])])) as Columns),
    };
  });
}

/** A table of a report as it lies in the store. */
export async function sparsityParquet(
  server: ServerContext,
  name: string,
  table: SparsityTableName,
): Promise<Uint8Array> {
  await reportOf(server, name);
  const path = server.store.sparsityTable(name, table);
  try {
    const { file } = await openTableFile(path, 'parquet', server.store.root);
    try {
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (!isLazyscopeError(cause) || cause.code !== 'not_found') throw cause;
    const why =
      table === 'tradeoff'
        ? 'has no trade-off, or was made before its table was kept: measure again, with interventions'
        : `was made before its table '${table}' was kept: measure again`;
    throw new LazyscopeError('not_found', `The sparsity report '${name}' ${why}.`, { cause });
  }
}

export async function compareSparsity(server: ServerContext, names: string[]): Promise<SparsityDetail[]> {
  return Promise.all(names.map((name) => getSparsity(server, name)));
}

const firingConditions = {
  all: '',
  firing: 'AND frequency > 0',
  dead: 'AND frequency = 0',
} as const satisfies Record<NeuronListInput['firing'], string>;

export async function listNeurons(server: ServerContext, input: NeuronListInput): Promise<Page<NeuronRow>> {
  const { name, layer, sort, firing, order, offset, limit } = input;
  const report = await reportOf(server, name);
  if (!report.layers.some((each) => each.layer === layer))
    throw new LazyscopeError(
      'not_found',
      `The sparsity report '${name}' has no layer ${layer}: it has 0 to ${report.layers.length - 1}.`,
    );
  const path = server.store.sparsityTable(name, 'neurons');
  const which = `layer = $layer ${firingConditions[firing]}`;
  const [{ total }] = await queryParquet(
    `SELECT count(*)::INTEGER AS total FROM ${storedTable(sparsityNeuronTable)} WHERE ${which}`,
    { path, layer },
  );
  const rows = await queryRows(
    sparsityNeuronTable,
    `SELECT ${columnList(sparsityNeuronTable)} FROM ${storedTable(sparsityNeuronTable)} WHERE ${which}
     ORDER BY ${orderOf(sparsityNeuronTable, sort, order, 'neuron')} LIMIT $limit OFFSET $offset`,
    { path, layer, limit, offset },
  );
  const tokens = server.tokens.of(report.model);
  return {
    total: Number(total),
    rows: rows.map((row) => neuronRow(row, tokens)),
  };
}
