/** One neuron of a sparsity report: its figures, the text that wakes it, and the latents that it writes. */
import { existsSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import { featureTable } from '../../sae/spec/tables/features.ts';
import { loadingTable } from '../../sae/spec/tables/loadings.ts';
import { sparsityExampleTable } from '../../sae/spec/tables/sparsityExamples.ts';
import { sparsityNeuronTable } from '../../sae/spec/tables/sparsityNeurons.ts';
import { someOf } from '../../sae/spec/tables/table.ts';
import { queryParquet } from '../../sae/store/parquet.ts';
import { queryRows } from '../../sae/store/queryRows.ts';
import { columnList, storedTable } from '../../sae/store/tableSql.ts';
import type { ServerContext } from '../context.ts';
import type { Example } from '../contract/features.ts';
import type { NeuronDetail, NeuronFeature, NeuronInput } from '../contract/sparsity.ts';
import { modelOfRun, runManifests } from './dictionaries.ts';
import { exampleOf } from './examples.ts';
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
  const { topTokens, promotedTokens, ...row } = found;
  const [rank] = await queryParquet(
    `SELECT count(*) AS neurons, count(*) FILTER (frequency < $frequency) AS lazier
     FROM ${storedTable(sparsityNeuronTable)} WHERE layer = $layer`,
    { path, layer, frequency: row.frequency },
  );
  const tokens = server.tokens.of(report.model);
  return {
    ...row,
    topTokens: tokens.texts(topTokens),
    promoted: tokens.texts(promotedTokens),
    report: name,
    model: report.model.name,
    activation: report.model.activation,
    neurons: Number(rank.neurons),
    lazier: Number(rank.lazier),
    examples: await neuronExamples(server, input, tokens),
    features: await neuronFeatures(server, input, report.model.name, tokens),
  };
}

async function neuronExamples(
  { store }: ServerContext,
  { name, layer, neuron }: NeuronInput,
  tokens: TokenReader,
): Promise<Example[]> {
  const path = store.sparsityTable(name, 'examples');
  if (!existsSync(path)) return [];
  const rows = await queryRows(
    sparsityExampleTable,
    `SELECT ${columnList(sparsityExampleTable)} FROM ${storedTable(sparsityExampleTable)}
     WHERE layer = $layer AND neuron = $neuron ORDER BY rank`,
    { path, layer, neuron },
  );
  return rows.map((row) => exampleOf(row, tokens));
}

const loaded = {
  ...someOf(loadingTable, 'latent', 'cosine'),
  ...someOf(featureTable, 'density', 'promotedTokens'),
};

/** Of every indexed dictionary on the same model. */
async function neuronFeatures(
  server: ServerContext,
  { layer, neuron }: NeuronInput,
  model: string,
  tokens: TokenReader,
): Promise<NeuronFeature[]> {
  const found: NeuronFeature[] = [];
  for (const run of (await runManifests(server)).manifests) {
    if ((await modelOfRun(server, run))?.name !== model) continue;
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
        `SELECT l.latent, l.cosine, f.density, f."promotedTokens"
         FROM ${storedTable(loadingTable)} l JOIN ${storedTable(featureTable, 'features')} f ON f.latent = l.latent
         WHERE l.layer = $layer AND l.neuron = $neuron ORDER BY abs(l.cosine) DESC LIMIT ${mostFeatures}`,
        { path, features, layer, neuron },
      );
      for (const { promotedTokens, ...row } of rows)
        found.push({
          run: run.name,
          seed,
          ...row,
          stability: compared > 0 ? sharedWith[row.latent] / compared : null,
          promoted: tokens.texts(promotedTokens),
        });
    }
  }
  return found.sort((a, b) => Math.abs(b.cosine) - Math.abs(a.cosine)).slice(0, mostFeatures);
}
