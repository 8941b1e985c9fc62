/** Neurons of a sparsity report: their figures, the text that wakes them, and the latents that they write. */
import { existsSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import { featureTable } from '../../sae/spec/tables/features.ts';
import { loadingTable } from '../../sae/spec/tables/loadings.ts';
import { sparsityExampleTable } from '../../sae/spec/tables/sparsityExamples.ts';
import { sparsityNeuronTable } from '../../sae/spec/tables/sparsityNeurons.ts';
import { someOf } from '../../sae/spec/tables/table.ts';
import type { SparsityReport } from '../../sae/spec/manifests/sparsityReport.ts';
import { queryParquet } from '../../sae/store/parquet.ts';
import { queryRows } from '../../sae/store/queryRows.ts';
import { columnList, storedTable } from '../../sae/store/tableSql.ts';
import type { ServerContext } from '../context.ts';
import type { Example } from '../contract/features.ts';
import type { NeuronDetail, NeuronFeature, NeuronInput } from '../contract/sparsity.ts';
import { modelOfRun, runManifests } from './dictionaries.ts';
import { exampleOf } from './examples.ts';
import { neuronRow } from './neuronRows.ts';
import { reportOf } from './sparsity.ts';
import type { TokenReader } from './tokenReader.ts';

/** Latents listed for a neuron. */
const mostFeatures = 12;

export async function getNeuron(server: ServerContext, input: NeuronInput): Promise<NeuronDetail> {
  const { name, layer, neuron } = input;
  const report = await reportOf(server, name);
  const path = server.store.sparsityTable(name, 'neurons');
  const [found] = await queryRows(
    sparsityNeuronTable,
    `SELECT ${columnList(sparsityNeuronTable)} FROM ${storedTable(sparsityNeuronTable)} WHERE layer = $layer AND neuron = $neuron`,
    { path, layer, neuron },
  );
  if (!found)
    throw new LazyscopeError(
      'not_found',
      `The sparsity report '${name}' has no neuron ${neuron} in layer ${layer}: see the list of its neurons.`,
    );
  const [rank] = await queryParquet(
    `SELECT count(*) AS neurons, count(*) FILTER (frequency < $frequency) AS lazier
     FROM ${storedTable(sparsityNeuronTable)} WHERE layer = $layer`,
    { path, layer, frequency: found.frequency },
  );
  const findings = await neuronFindings(server, report, { layer, neuron });
  return {
    ...neuronRow(found, server.tokens.of(report.model)),
    report: name,
    model: report.model.name,
    activation: report.model.activation,
    neurons: Number(rank.neurons),
    lazier: Number(rank.lazier),
    ...(findings.get(neuron) ?? nothingFound()),
  };
}

/** What the page of a neuron shows of other tables than that of neurons. */
export type NeuronFindings = Pick<NeuronDetail, 'examples' | 'features'>;

export const nothingFound = (): NeuronFindings => ({ examples: [], features: [] });

/** Which neurons are asked for. */
interface Which {
  layer: number;
  /** All of the layer when absent. */
  neuron?: number;
}

/** By neuron; one without examples and aligned latents may be absent. */
export async function neuronFindings(
  server: ServerContext,
  report: SparsityReport,
  which: Which,
): Promise<Map<number, NeuronFindings>> {
  const found = new Map<number, NeuronFindings>();
  const of = (neuron: number) => {
    const known = found.get(neuron) ?? nothingFound();
    found.set(neuron, known);
    return known;
  };
  const tokens = server.tokens.of(report.model);
  for (const { neuron, example } of await neuronExamples(server, report, which, tokens))
    of(neuron).examples.push(example);
  for (const { neuron, feature } of await neuronFeatures(server, report, which, tokens))
    of(neuron).features.push(feature);
  for (const findings of found.values())
    findings.features = findings.features
      .sort((a, b) => Math.abs(b.cosine) - Math.abs(a.cosine))
      .slice(0, mostFeatures);
  return found;
}

/** The condition, and the values of its parameters. */
function whereOf({ layer, neuron }: Which, of = ''): { where: string; params: Record<string, number> } {
  const prefix = of === '' ? '' : `${of}.`;
  return neuron === undefined
    ? { where: `${prefix}layer = $layer`, params: { layer } }
    : { where: `${prefix}layer = $layer AND ${prefix}neuron = $neuron`, params: { layer, neuron } };
}

async function neuronExamples(
  { store }: ServerContext,
  { name }: SparsityReport,
  which: Which,
  tokens: TokenReader,
): Promise<{ neuron: number; example: Example }[]> {
  const path = store.sparsityTable(name, 'examples');
  if (!existsSync(path)) return [];
  const { where, params } = whereOf(which);
  const rows = await queryRows(
    sparsityExampleTable,
    `SELECT ${columnList(sparsityExampleTable)} FROM ${storedTable(sparsityExampleTable)} WHERE ${where} ORDER BY neuron, rank`,
    { path, ...params },
  );
  return rows.map((row) => ({ neuron: row.neuron, example: exampleOf(row, tokens) }));
}

const loaded = {
  ...someOf(loadingTable, 'neuron', 'latent', 'cosine'),
  ...someOf(featureTable, 'density', 'promotedTokens'),
};

/** Of every indexed dictionary on the same model, at most `mostFeatures` a neuron and dictionary. */
async function neuronFeatures(
  server: ServerContext,
  { model }: SparsityReport,
  which: Which,
  tokens: TokenReader,
): Promise<{ neuron: number; feature: NeuronFeature }[]> {
  const found: { neuron: number; feature: NeuronFeature }[] = [];
  const { where, params } = whereOf(which, 'l');
  for (const run of (await runManifests(server)).manifests) {
    if ((await modelOfRun(server, run))?.name !== model.name) continue;
    for (const seed of run.config.seeds) {
      const path = server.store.loadings(run.name, seed);
      const features = server.store.features(run.name, seed);
      if (!existsSync(path) || !existsSync(features)) continue;
      const { compared, sharedWith } = await server.seedStability.stability(
        { run: run.name, seed },
        run.config.width,
      );
      const rows = await queryRows(
        loaded,
        `SELECT l.neuron, l.latent, l.cosine, f.density, f."promotedTokens"
         FROM ${storedTable(loadingTable)} l JOIN ${storedTable(featureTable, 'features')} f ON f.latent = l.latent
         WHERE ${where}
         QUALIFY row_number() OVER (PARTITION BY l.neuron ORDER BY abs(l.cosine) DESC, l.latent) <= ${mostFeatures}
         ORDER BY l.neuron, abs(l.cosine) DESC, l.latent`,
        { path, features, ...params },
      );
      for (const { neuron, promotedTokens, ...row } of rows)
        found.push({
          neuron,
          feature: {
            run: run.name,
            seed,
            ...row,
            stability: compared > 0 ? sharedWith[row.latent] / compared : null,
            promoted: tokens.texts(promotedTokens),
          },
        });
    }
  }
  return found;
}
