/**
 * The lazy-neuron report of a model on a text (METHODS.md §4): sparsity/<name>/ with its tables and, last,
 * report.json.
 *
 * Firing is counted in one forward pass over all tokens; CETT and kernel alignment, which need exact products,
 * are computed on a sample of them. The first position of each context is counted like the others; the table by
 * position shows how it differs.
 */
import { existsSync } from 'node:fs';
import { LazyscopeError } from '../errors.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { predictsNextToken } from '../models/predictsNextToken.ts';
import { finiteOrNull } from '../numerics/finiteOrNull.ts';
import { packTokens, packText } from '../tokens/packTokens.ts';
import type { TextSource } from '../tokens/text/openText.ts';
import type { Report } from '../progress.ts';
import type { StoreLayout } from '../store/layout.ts';
import { isModel } from '../models/isModel.ts';
import { modelChecksum } from '../models/modelChecksum.ts';
import { recordModelPlace } from '../models/modelPlace.ts';
import { writeVocabulary } from '../tokens/vocabulary.ts';
import { withLock } from '../store/lock.ts';
import { sparsityReportKind } from '../spec/manifests/sparsityReport.ts';
import type { SparsityReport } from '../spec/manifests/sparsityReport.ts';
import { readManifest } from '../store/readManifest.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';
import { promotedTokens } from './firing/keyValueView.ts';
import { labelAlignment } from './depth/labelAlignment.ts';
import { medianSignal } from './depth/signalPropagation.ts';
import { summariseLayer } from './firing/layerSummary.ts';
import { interventionWork, measureInterventions } from './masking/measureInterventions.ts';
import { multiplyAdds } from './masking/multiplyAdds.ts';
import type { SampledLayer } from './masking/sampledLayer.ts';
import { modelFolding } from './depth/modelFolding.ts';
import { streamActivations } from './streamActivations.ts';
import { StreamingMeasures } from './streamingMeasures.ts';
import type { TradeoffMethod } from './masking/tradeoff.ts';
import { Work } from './work.ts';
import { writeReport, type MeasuredLayer } from './writeReport.ts';

/** Which model to measure on which text, and what. */
export interface MeasureOptions {
  store: StoreLayout;
  name: string;
  model: LanguageModel;
  /** The text: in memory as readText of sae/tokens/readText.ts returns it, or read as it is needed (sae/tokens/text/openText.ts). */
  text: { readonly source: string; readonly documents: readonly string[] } | TextSource;
  maxTokens?: number;
  /** Tokens in a context; by default 128, or the model's own if that is less. */
  contextLength?: number;
  /** Tokens in a batch, over which the dynamic dead rate is defined. */
  batchTokens?: number;
  /** Tokens on which CETT and kernel alignment are computed. */
  sampleTokens?: number;
  /** Also mask neurons and measure what it costs, on this many tokens. */
  interventionTokens?: number;
  methods?: readonly TradeoffMethod[];
  robustness?: boolean;
  /** The activation function that the model was trained with, if it is measured with another one. */
  trainedActivation?: string;
  report?: Report;
  signal?: AbortSignal;
}

/** ε of `ratioAt`; the middle one is also counted neuron by neuron. */
export const ratioThresholds = [1e-4, 1e-3, 1e-2, 1e-1, 1];
const examplesPerNeuron = 4;
const defaultSample = 512;
/** A pass with all streaming measures, in the time of one without. */
const measuredPass = 1.5;
/** Settings of space folding: enough paths for a mean; each is a forward pass over `points` stretches of text. */
const folding = { paths: 8, points: 33, tokens: 16 };

/** What the report says of the model, by which the texts of its tokens are found too. A model that was made in memory has no files. */
async function referenceTo(
  store: StoreLayout,
  { name, folder, tokenizer }: LanguageModel,
): Promise<Pick<SparsityReport['model'], 'name' | 'folder' | 'sha256'>> {
  if (!isModel(folder)) return { name, folder: '' };
  const sha256 = await modelChecksum(folder);
  await writeVocabulary(store.vocabulary(sha256), tokenizer);
  return { name, folder: await recordModelPlace(store, folder, sha256), sha256 };
}

/** Measures the model and writes the report. Throws 'conflict' when the name belongs to a report of another model or text, 'bad_input' for a text or length that doesn't fit. */
export async function measureSparsity(options: MeasureOptions): Promise<SparsityReport> {
  const { store, name, model, text } = options;
  const seq = contextLengthFor(model, options.contextLength);
  if (options.interventionTokens !== undefined)
    predictsNextToken(model, 'what masking neurons costs it in perplexity is not defined');
  await check(options);
  const contexts = await packContexts(options, seq);
  return withLock(store.sparsity(name), `sparsity of ${model.name}`, async () => {
    const work = new Work(
      `sparsity of ${model.name}`,
      totalWork(options, contexts, seq),
      options.report,
      options.signal,
    );
    const measures = await stream(options, contexts, seq, work);
    const advance = (tokens: number) => work.advance(tokens);
    const foldings = await modelFolding(model, contexts, seq, folding, advance);
    const layers: MeasuredLayer[] = [];
    const unembedding = model.config.encoder ? undefined : tokenDirections(model);
    try {
      for (const [layer, each] of foldings.entries())
        layers.push(await measureLayer(options, layer, { measures, folding: each, unembedding }, work));
    } finally {
      unembedding?.dispose();
    }
    const samples = layers.map(({ sample }) => sample);
    const { interventions, stopped } = await measureMasking(options, samples, contexts, seq, work);
    const reference = await referenceTo(store, model);
    const report: SparsityReport = {
      version: 1,
      name,
      createdAt: new Date().toISOString(),
      model: {
        ...reference,
        activation: model.config.activation,
        gated: model.config.gated,
        ...(options.trainedActivation ? { trainedActivation: options.trainedActivation } : {}),
      },
      text: text.source,
      tokens: contexts.length,
      crossEntropy: finiteOrNull(measures.crossEntropy()),
      thresholds: ratioThresholds,
      layers: layers.map(({ summary }) => summary),
      depth: depthFigures(options, measures, contexts, seq),
      ...(interventions ? { interventions } : {}),
    };
    if (!stopped) work.finish();
    await writeReport(store, report, layers, contexts);
    if (stopped) throw stopped;
    return report;
  });
}

/** The context length to use: the given one, or 128, or the model's own if that is less. Throws 'bad_input' when the model's own is shorter. */
export function contextLengthFor({ name, config }: LanguageModel, asked?: number): number {
  const seq = asked ?? Math.min(128, config.contextLength);
  if (!Number.isInteger(seq) || seq < 2 || seq > config.contextLength)
    throw new LazyscopeError(
      'bad_input',
      `The context length is ${seq}, but '${name}' takes 2 to ${config.contextLength} tokens.`,
    );
  return seq;
}

/** The tokens of the text packed into contexts, [contexts · seq]. Throws 'bad_input' when the text does not fill one context. */
export async function packContexts(
  { model, text, maxTokens = 65_536 }: Pick<MeasureOptions, 'model' | 'text' | 'maxTokens'>,
  seq: number,
): Promise<Int32Array> {
  const most = Math.floor(maxTokens / seq);
  const contexts =
    'documents' in text
      ? packTokens(model.tokenizer, text.documents, seq, most)
      : await packText(model.tokenizer, text.pieces(), seq, most);
  if (contexts.length === 0)
    throw new LazyscopeError(
      'bad_input',
      `'${text.source}' does not fill one context of ${seq} tokens: give a longer text, a shorter context or a higher limit of tokens.`,
    );
  return contexts;
}

async function check({ store, name, model, text }: MeasureOptions): Promise<void> {
  if (!existsSync(store.sparsityReport(name))) return;
  const old = await readManifest(store.sparsityReport(name), sparsityReportKind);
  if (old.model.name === model.name && old.text === text.source) return;
  throw new LazyscopeError(
    'conflict',
    `The sparsity report '${name}' is of '${old.model.name}' on '${old.text}': choose another name.`,
  );
}

async function stream(
  options: MeasureOptions,
  contexts: Int32Array,
  seq: number,
  work: Work,
): Promise<StreamingMeasures> {
  const { model, batchTokens = 2048, sampleTokens = defaultSample } = options;
  const measures = new StreamingMeasures(model, {
    tokens: contexts.length,
    seq,
    thresholds: ratioThresholds,
    sampleTokens,
    examples: examplesPerNeuron,
  });
  const batchContexts = Math.max(1, Math.floor(batchTokens / seq));
  const { hooks } = measures;
  const advance = (tokens: number) => work.advance(tokens * measuredPass);
  const streaming = { seq, batchContexts, hooks, attentionEntropy: true, advance };
  await streamActivations(model, contexts, streaming, (batch) => measures.add(batch));
  return measures;
}

/**
 * What masking costs, if it was asked for. When the signal stops it, the report of the layers is worth keeping unless an older
 * report is there: then `stopped` says how to get the rest.
 */
async function measureMasking(
  { store, name, model, interventionTokens: tokens, methods, robustness, signal }: MeasureOptions,
  samples: readonly SampledLayer[],
  contexts: Int32Array,
  seq: number,
  work: Work,
): Promise<{ interventions?: SparsityReport['interventions']; stopped?: LazyscopeError }> {
  if (tokens === undefined) return {};
  const options = {
    tokens, methods, robustness,
    advance: (done: number) => work.advance(done),
    spare: (unneeded: number) => work.spare(unneeded),
  }; // prettier-ignore
  try {
    return { interventions: await measureInterventions(model, samples, { contexts, seq }, options) };
  } catch (error) {
    if (!signal?.aborted || existsSync(store.sparsityReport(name))) throw error;
    return {
      stopped: new LazyscopeError(
        'cancelled',
        `Stopped before it was known what masking neurons costs. The report '${name}' has everything else; to add PPL-p %, the trade-off and robustness, run the same command again, with a smaller --intervention-tokens or with some --methods only if it took too long.`,
      ),
    };
  }
}

async function measureLayer(
  { model }: MeasureOptions,
  layer: number,
  known: { measures: StreamingMeasures; folding: number; unembedding: Tensor2D | undefined },
  work: Work,
): Promise<MeasuredLayer> {
  const { measures, folding, unembedding } = known;
  const { summary, curve, sample } = summariseLayer(model, layer, measures, folding);
  await work.advance(truncationWork(model, sample.activations.length));
  const outputs = model.neuronOutputs(layer);
  // An encoder predicts no next token, so none of its neurons promotes one.
  const promoted = unembedding
    ? promotedTokens(outputs, unembedding)
    : Array.from({ length: model.config.neurons }, () => new Int32Array(0));
  outputs.dispose();
  await work.advance(promotionWork(model));
  return { firing: measures.firing[layer], curve, sample, promoted, summary };
}

/** W_U with a row for each token, [vocab, d], and what is folded into it. */
function tokenDirections(model: LanguageModel): Tensor2D {
  return tf.tidy(() => tf.transpose<Tensor2D>(model.foldedUnembedding()));
}

/** All that advance() will be told, in the time of a token's way through the model; writing the tables is some of it. */
function totalWork(
  { model, sampleTokens = defaultSample, interventionTokens: tokens, methods, robustness }: MeasureOptions,
  contexts: Int32Array,
  seq: number,
): number {
  const { layers, neurons } = model.config;
  const entries = Math.min(contexts.length, sampleTokens) * neurons;
  const folded = folding.paths * folding.points * Math.min(seq, folding.tokens);
  const byLayer = layers * (truncationWork(model, entries) + promotionWork(model));
  const masking =
    tokens === undefined ? 0 : interventionWork(model, { contexts, seq }, { tokens, methods, robustness });
  return 1.02 * (contexts.length * measuredPass + folded + byLayer + masking);
}

/** CETT of one layer is walked on the host, where a multiply-add takes some 150 times as long as in a product. */
function truncationWork({ config }: LanguageModel, entries: number): number {
  return (150 * entries * config.d) / multiplyAdds(config, 1).total;
}

/** The product of a layer's outputs with the unembedding. */
function promotionWork({ config }: LanguageModel): number {
  return (config.neurons * config.d * config.vocabularySize) / multiplyAdds(config, 1).total;
}

/** For the residual stream after the embedding and after each layer: signal propagation, and CKA with the input token and with the next token. */
function depthFigures(
  { model }: MeasureOptions,
  { signal, residualSample }: StreamingMeasures,
  contexts: Int32Array,
  seq: number,
): SparsityReport['depth'] {
  // The last token of a context has no next token to align with.
  const rows = Array.from(residualSample.places.keys()).filter(
    (row) => residualSample.places[row] % seq !== seq - 1,
  );
  const inputs = Int32Array.from(rows, (row) => contexts[residualSample.places[row]]);
  const targets = Int32Array.from(rows, (row) => contexts[residualSample.places[row] + 1]);
  const { d } = model.config;
  return signal.byDepth().map(({ meanSquared, variance }, depth) => {
    const sample = new Float32Array(rows.length * d);
    rows.forEach((row, at) =>
      sample.set(residualSample.layers[depth].subarray(row * d, (row + 1) * d), at * d),
    );
    const middle = medianSignal(residualSample.layers[depth], d);
    return {
      hook: depth === 0 ? 'blocks.0.hook_resid_pre' : `blocks.${depth - 1}.hook_resid_post`,
      meanSquared,
      variance,
      medianMeanSquared: middle.meanSquared,
      medianVariance: middle.variance,
      inputAlignment: finiteOrNull(labelAlignment(sample, d, inputs)),
      targetAlignment: finiteOrNull(labelAlignment(sample, d, targets)),
    };
  });
}
