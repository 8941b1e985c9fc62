import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { LazyscopeError } from '../../sae/errors.ts';
import { sparsityReportKind } from '../../sae/spec/manifests/sparsityReport.ts';
import type { SparsityReport } from '../../sae/spec/manifests/sparsityReport.ts';
import { queryParquet } from '../../sae/store/parquet.ts';
import type { ServerContext } from '../context.ts';
import type { sparsityTables } from '../contract/sparsity.ts';
import type { NeuronListInput, NeuronRow, SparsityDetail, SparsityRow } from '../contract/sparsity.ts';
import type { Page } from '../contract/tokens.ts';
import { manifestsIn, type Manifests } from './manifestsIn.ts';

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
    const mean = (field: 'activationRatio' | 'deadRate' | 'cett') =>
      layers.reduce((sum, layer) => sum + (layer[field] * layer.neurons) / neurons, 0);
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
      activationRatio: mean('activationRatio'),
      deadRate: mean('deadRate'),
      cett: mean('cett'),
    };
  });
}

export async function reportOf({ store, manifests }: ServerContext, name: string): Promise<SparsityReport> {
  const path = store.sparsityReport(name);
  if (!existsSync(path))
    throw new LazyscopeError('not_found', `There is no sparsity report '${name}': see the list of reports.`);
  return manifests.read(path, sparsityReportKind);
}

const curvesSchema = z.object({
  layer: z.number(),
  threshold: z.array(z.number()),
  cett: z.array(z.number()),
  activeRatio: z.array(z.number()),
});
const positionsSchema = z.object({
  layer: z.number(),
  position: z.array(z.number()),
  activationRatio: z.array(z.number()),
});

export async function getSparsity(server: ServerContext, name: string): Promise<SparsityDetail> {
  const report = await reportOf(server, name);
  const [curves, positions] = await Promise.all([
    queryParquet(
      `SELECT layer, list(threshold ORDER BY threshold) AS threshold, list(cett ORDER BY threshold) AS cett,
         list("activeRatio" ORDER BY threshold) AS "activeRatio"
       FROM read_parquet($path) GROUP BY layer ORDER BY layer`,
      { path: server.store.sparsityTable(name, 'curves') },
    ),
    queryParquet(
      `SELECT layer, list(position ORDER BY position) AS position,
         list("activationRatio" ORDER BY position) AS "activationRatio"
       FROM read_parquet($path) GROUP BY layer ORDER BY layer`,
      { path: server.store.sparsityTable(name, 'layers') },
    ),
  ]);
  return {
    report,
    curves: curves.map((row) => curvesSchema.parse(row)),
    positions: positions.map((row) => positionsSchema.parse(row)),
  };
}

/** A table of a report as it lies in the store. */
export async function sparsityParquet(
  server: ServerContext,
  name: string,
  table: (typeof sparsityTables)[number],
): Promise<Uint8Array> {
  await reportOf(server, name);
  try {
    return await readFile(server.store.sparsityTable(name, table));
  } catch (cause) {
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

const sortColumns = {
  neuron: 'neuron',
  frequency: 'frequency',
  frequencyAt: '"frequencyAt"',
  meanActivation: '"meanActivation"',
  maxActivation: '"maxActivation"',
  outputNorm: '"outputNorm"',
} as const satisfies Record<NeuronListInput['sort'], string>;

const firingConditions = {
  all: '',
  firing: 'AND frequency > 0',
  dead: 'AND frequency = 0',
} as const satisfies Record<NeuronListInput['firing'], string>;

export const neuronSchema = z.object({
  layer: z.number(),
  neuron: z.number(),
  frequency: z.number(),
  frequencyAt: z.number(),
  meanActivation: z.number(),
  maxActivation: z.number(),
  outputNorm: z.number(),
  topTokens: z.array(z.number()),
  promotedTokens: z.array(z.number()),
});

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
    `SELECT count(*)::INTEGER AS total FROM read_parquet($path) WHERE ${which}`,
    { path, layer },
  );
  const rows = await queryParquet(
    `SELECT * FROM read_parquet($path) WHERE ${which}
     ORDER BY ${sortColumns[sort]} ${order === 'asc' ? 'ASC' : 'DESC'}, neuron LIMIT $limit OFFSET $offset`,
    { path, layer, limit, offset },
  );
  const tokens = server.tokens.of(report.model);
  return {
    total: Number(total),
    rows: rows.map((cells) => {
      const { topTokens, promotedTokens, ...row } = neuronSchema.parse(cells);
      return { ...row, topTokens: tokens.texts(topTokens), promoted: tokens.texts(promotedTokens) };
    }),
  };
}
