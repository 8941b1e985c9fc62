/**
 * A folder that Neuronpedia's import takes, as sae_dashboard/neuronpedia/neuronpedia_export.py of SAEDashboard writes it:
 *
 *     <model>/<layer>-<source set>/release.jsonl, model.jsonl, sourceset.jsonl, source.jsonl
 *     <model>/<layer>-<source set>/features/batch-<n>.jsonl.gz      one line a latent
 *     <model>/<layer>-<source set>/activations/batch-<n>.jsonl.gz   one line an example
 *
 * What the feature index doesn't have is empty there: histograms of logits, correlated neurons and features, vectors.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import { exampleTable } from '../spec/tables/examples.ts';
import { featureTable } from '../spec/tables/features.ts';
import type { RowOf } from '../spec/tables/table.ts';
import { writeFileAtomic } from '../store/atomicWrite.ts';
import { queryRows } from '../store/queryRows.ts';
import { columnList, storedTable } from '../store/tableSql.ts';
import { bands } from './chooseExamples.ts';
import { histogramBins } from './latentStatistics.ts';

export interface NeuronpediaBundleOptions {
  /** The folder that the model's folder is made in. */
  folder: string;
  /** features.parquet and examples.parquet. */
  features: string;
  examples: string;
  latents: number;
  /** The text of each token, null where an id has none. */
  vocabulary: readonly (string | null)[];
  /** As Neuronpedia calls the model. */
  model: string;
  layer: number;
  sourceSet: string;
  release: string;
  description: string;
  creator: { id: string; name: string };
  text: { name: string; contexts: number; contextLength: number };
  /** In ISO 8601. */
  createdAt: string;
  report?: Report;
  signal?: AbortSignal | undefined;
}

export const latentsABatch = 1024;

/** The strongest examples have no interval; the dashboard knows them by these numbers. */
const ofTheTop = { binMin: -1, binContains: -1 };

/** Returns the source's folder. Throws as reading the index and writing files do, and `cancelled`. */
export async function writeNeuronpediaBundle(options: NeuronpediaBundleOptions): Promise<string> {
  const { latents, model, layer, sourceSet, report = silent } = options;
  const source = `${layer}-${sourceSet}`;
  const folder = join(options.folder, model, source);
  await writeDescriptions(folder, source, options);
  for (let from = 0; from < latents; from += latentsABatch) {
    const to = Math.min(from + latentsABatch, latents);
    const batch = `batch-${from / latentsABatch}.jsonl.gz`;
    const features = await rowsOf(featureTable, options.features, { from, to, order: 'latent' });
    const examples = await rowsOf(exampleTable, options.examples, {
      from,
      to,
      order: 'latent, band DESC, rank',
    });
    const largest = new Map(features.map(({ latent, maxActivation }) => [latent, maxActivation]));
    await writeLines(
      join(folder, 'features', batch),
      features.map((row) => featureLine(row, source, options)),
    );
    await writeLines(
      join(folder, 'activations', batch),
      examples.map((row) => activationLine(row, largest.get(row.latent) ?? 0, source, options)),
    );
    report({ stage: 'export', done: to, total: latents, unit: 'latents' });
    await pause(options.signal, 'exporting');
  }
  return folder;
}

async function rowsOf<T extends typeof featureTable | typeof exampleTable>(
  table: T,
  path: string,
  { from, to, order }: { from: number; to: number; order: string },
): Promise<RowOf<T>[]> {
  const where = 'latent >= $from AND latent < $to';
  const statement = `SELECT ${columnList(table)} FROM ${storedTable(table)} WHERE ${where} ORDER BY ${order}`;
  return queryRows(table, statement, { path, from, to });
}

async function writeDescriptions(
  folder: string,
  source: string,
  { model, sourceSet, release, description, creator, text, createdAt }: NeuronpediaBundleOptions,
): Promise<void> {
  const by = { creatorId: creator.id, createdAt };
  const rows = {
    release: {
      ...by, name: release, description, descriptionShort: description, urls: [], creatorName: creator.name,
      creatorNameShort: creator.name, creatorEmail: null, visibility: 'PUBLIC', isNewUi: false, featured: false,
      defaultSourceSetName: null, defaultSourceId: null, defaultUmapSourceIds: [],
    },
    model: {
      ...by, id: model, instruct: model.endsWith('-it'), displayNameShort: model, displayName: model, tlensId: null,
      dimension: null, visibility: 'PUBLIC', defaultSourceSetName: null, defaultSourceId: null,
      inferenceEnabled: false, layers: 0, neuronsPerLayer: 0, owner: '', updatedAt: createdAt, website: null,
    },
    sourceset: {
      ...by, modelId: model, name: sourceSet, hasDashboards: true, visibility: 'PUBLIC', description, type: '',
      creatorName: creator.name, urls: [], creatorEmail: null, releaseName: release, defaultOfModelId: null,
      defaultRange: 1, defaultShowBreaks: true, showDfa: false, showCorrelated: false, showHeadAttribution: false,
      showUmap: false,
    },
    source: {
      ...by, id: source, modelId: model, setName: sourceSet, hasDashboards: true, inferenceEnabled: false,
      inferenceHosts: [], saelensConfig: null, saelensRelease: null, saelensSaeId: null, hfRepoId: null,
      hfFolderId: null, visibility: 'PUBLIC', defaultOfModelId: null, hasUmap: false, hasUmapLogSparsity: false,
      hasUmapClusters: false, num_prompts: text.contexts, num_tokens_in_prompt: text.contextLength,
      dataset: text.name, notes: null,
    },
  }; // prettier-ignore
  for (const [name, row] of Object.entries(rows))
    await writeFileAtomic(join(folder, `${name}.jsonl`), `${JSON.stringify(row)}\n`);
}

function featureLine(
  row: RowOf<typeof featureTable>,
  source: string,
  { model, creator, createdAt, vocabulary }: NeuronpediaBundleOptions,
) {
  const texts = (ids: readonly number[]) => ids.map((id) => textOf(vocabulary, id));
  return {
    modelId: model, layer: source, index: String(row.latent), sourceSetName: null, creatorId: creator.id, createdAt,
    maxActApprox: row.maxActivation, hasVector: false, vector: [], vectorLabel: null, vectorDefaultSteerStrength: 10,
    hookName: null, topkCosSimIndices: row.neighbours, topkCosSimValues: row.neighbourCosines,
    neuron_alignment_indices: [], neuron_alignment_values: [], neuron_alignment_l1: [], correlated_neurons_indices: [],
    correlated_neurons_pearson: [], correlated_neurons_l1: [], correlated_features_indices: [],
    correlated_features_pearson: [], correlated_features_l1: [], neg_str: texts(row.suppressedTokens),
    neg_values: row.suppressedLogits, pos_str: texts(row.promotedTokens), pos_values: row.promotedLogits,
    frac_nonzero: row.density, freq_hist_data_bar_heights: row.histogram,
    // The middles of the bins.
    freq_hist_data_bar_values: row.histogram.map((_, bin) => ((bin + 0.5) * row.maxActivation) / histogramBins),
    logits_hist_data_bar_heights: [], logits_hist_data_bar_values: [], decoder_weights_dist: [],
  }; // prettier-ignore
}

function activationLine(
  row: RowOf<typeof exampleTable>,
  largest: number,
  source: string,
  { model, creator, createdAt, vocabulary }: NeuronpediaBundleOptions,
) {
  const { latent, band, rank, tokens, activations: values, position, start } = row;
  const quantile = /^quantile-(\d)$/.exec(band)?.[1];
  const interval =
    quantile === undefined
      ? { ...ofTheTop, binMax: largest }
      : // How many of all activations are in the interval is not in the index.
        { binMin: (Number(quantile) / bands) * largest, binMax: ((Number(quantile) + 1) / bands) * largest, binContains: null }; // prettier-ignore
  return {
    id: identifier(`${model}/${source}/${latent}/${band}/${rank}`), tokens: tokens.map((id) => textOf(vocabulary, id)),
    index: String(latent), layer: source, modelId: model, maxValue: Math.max(...values),
    maxValueTokenIndex: values.indexOf(Math.max(...values)), minValue: Math.min(...values), values,
    creatorId: creator.id, dataSource: null, dataIndex: null, dfaValues: [], dfaTargetIndex: null, dfaMaxValue: null,
    createdAt, lossValues: [], logitContributions: null, ...interval, qualifyingTokenIndex: position - start,
    zIndices: null, zValues: null,
  }; // prettier-ignore
}

/** Twenty-five letters and digits, as Neuronpedia's identifiers have, the same for the same example. */
function identifier(of: string): string {
  const digest = createHash('sha256').update(of).digest();
  return `c${Array.from(digest.subarray(0, 24), (byte) => (byte % 36).toString(36)).join('')}`;
}

const textOf = (vocabulary: readonly (string | null)[], id: number) => vocabulary[id] ?? `#${id}`;

async function writeLines(path: string, rows: readonly object[]): Promise<void> {
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  await writeFileAtomic(path, gzipSync(text, { level: 5 }));
}
