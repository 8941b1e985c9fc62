/**
 * The lazy-neuron report of a model on a text (METHODS.md §4): sparsity/<name>/ with layers.parquet,
 * neurons.parquet, curves.parquet and, last, report.json.
 *
 * What is counted streams through one forward pass over all tokens; CETT, which needs true products, is exact
 * on a sample of them. Every position counts, the first of each context included: the by-position table shows
 * how it differs.
 */
import { existsSync } from 'node:fs';
import { packTokens } from '../models/packTokens.ts';
import { LazyscopeError } from '../errors.ts';
import { nextTokenLosses } from '../models/crossEntropy.ts';
import { blockHook } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { silent, type Report } from '../progress.ts';
import type { StoreLayout } from '../store/layout.ts';
import { withLock } from '../store/lock.ts';
import { sparsityReportSchema, type SparsityReport } from '../store/manifests.ts';
import { readManifest } from '../store/readManifest.ts';
import { hostValues } from '../tensor/hostValues.ts';
import { tf } from '../tensor/tf.ts';
import { Cett, outputNorms, quotedRatio } from './cett.ts';
import { promotedTokens } from './keyValueView.ts';
import { LayerSample } from './layerSample.ts';
import { NeuronFiring } from './neuronFiring.ts';
import { streamActivations, type StreamedBatch } from './streamActivations.ts';
import { writeReport, type MeasuredLayer } from './writeReport.ts';

export interface MeasureOptions {
  store: StoreLayout;
  name: string;
  model: LanguageModel;
  /** What readText of sae/activations gives. */
  text: { readonly source: string; readonly documents: readonly string[] };
  maxTokens?: number;
  /** Tokens in a context; by default 128, or the model's own if that is less. */
  contextLength?: number;
  /** Tokens in a batch: the unit of the dynamic dead rate. */
  batchTokens?: number;
  /** Tokens on which CETT is computed. */
  cettTokens?: number;
  report?: Report;
  signal?: AbortSignal;
}

/** ε of `ratioAt`; the middle one is also counted neuron by neuron. */
const thresholds = [1e-4, 1e-3, 1e-2, 1e-1, 1];
/** CETT at which the papers quote sparsity. */
const quotedCett = 0.2;
const sampleBytes = 256 * 2 ** 20;

/** Throws 'conflict' when the name belongs to a report of another model or text, 'bad_input' for a text or length that doesn't fit. */
export async function measureSparsity(options: MeasureOptions): Promise<SparsityReport> {
  const { store, name, model, text } = options;
  const seq = options.contextLength ?? Math.min(128, model.config.contextLength);
  await check(options, seq);
  const contexts = packTokens(
    model.tokenizer,
    text.documents,
    seq,
    Math.floor((options.maxTokens ?? 65_536) / seq),
  );
  if (contexts.length === 0)
    throw new LazyscopeError(
      'bad_input',
      `'${text.source}' does not fill one context of ${seq} tokens: give a longer text, a shorter context or a higher limit of tokens.`,
    );
  return withLock(store.sparsity(name), `sparsity of ${model.name}`, async () => {
    const measured = await stream(options, contexts, seq);
    const layers = measured.firing.map((firing, layer) =>
      measureLayer(options, layer, firing, measured.sample),
    );
    const report: SparsityReport = {
      version: 1,
      name,
      createdAt: new Date().toISOString(),
      model: {
        name: model.name,
        folder: model.folder,
        activation: model.config.activation,
        gated: model.config.gated,
      },
      text: text.source,
      tokens: contexts.length,
      crossEntropy: measured.crossEntropy,
      thresholds,
      layers: layers.map(({ summary }) => summary),
    };
    await writeReport(store, report, layers);
    return report;
  });
}

async function check({ store, name, model, text }: MeasureOptions, seq: number): Promise<void> {
  if (!Number.isInteger(seq) || seq < 2 || seq > model.config.contextLength)
    throw new LazyscopeError(
      'bad_input',
      `The context length is ${seq}, but '${model.name}' takes 2 to ${model.config.contextLength} tokens.`,
    );
  if (!existsSync(store.sparsityReport(name))) return;
  const old = await readManifest(store.sparsityReport(name), sparsityReportSchema);
  if (old.model.name === model.name && old.text === text.source) return;
  throw new LazyscopeError(
    'conflict',
    `The sparsity report '${name}' is of '${old.model.name}' on '${old.text}': choose another name.`,
  );
}

interface Measured {
  firing: NeuronFiring[];
  sample: LayerSample;
  crossEntropy: number;
}

async function stream(options: MeasureOptions, contexts: Int32Array, seq: number): Promise<Measured> {
  const { model, batchTokens = 2048, cettTokens = 512, report, signal } = options;
  const { layers, neurons, gated } = model.config;
  const sample = new LayerSample(contexts.length, { layers, neurons, size: cettTokens, bytes: sampleBytes });
  const firing = Array.from(
    { length: layers },
    () => new NeuronFiring({ neurons, positions: seq, thresholds, neuronThreshold: 2 }),
  );
  const places = gated ? (['mlp.hook_pre', 'mlp.hook_post'] as const) : (['mlp.hook_post'] as const);
  const hooks = firing.flatMap((_, layer) => places.map((place) => blockHook(layer, place)));
  const batchContexts = Math.max(1, Math.floor(batchTokens / seq));
  let lossSum = 0;
  let lossCount = 0;
  const stage = `sparsity of ${model.name}`;
  await streamActivations(model, contexts, { seq, batchContexts, hooks, stage, report, signal }, (batch) => {
    for (let layer = 0; layer < layers; layer++) {
      const activations = read(batch, layer, 'mlp.hook_post');
      const gates = gated ? openGates(model, batch, layer) : undefined;
      firing[layer].add({ tokens: batch.tokens, seq, activations, gates });
      sample.add(layer, batch.firstToken, activations);
    }
    lossSum += summedLoss(batch);
    lossCount += batch.contexts * (seq - 1);
  });
  return { firing, sample, crossEntropy: lossSum / lossCount };
}

function read(batch: StreamedBatch, layer: number, place: 'mlp.hook_pre' | 'mlp.hook_post'): Float32Array {
  const tensor = batch.activations.get(blockHook(layer, place));
  if (!tensor) throw new TypeError(`the model gave no ${place} of layer ${layer}`);
  return tensor.dataSync<'float32'>();
}

/** act(g): a gated MLP's hook_pre is g, and its hook_post, act(g) ⊙ u, says nothing certain about it. */
function openGates(model: LanguageModel, batch: StreamedBatch, layer: number): Float32Array {
  const pre = batch.activations.get(blockHook(layer, 'mlp.hook_pre'));
  if (!pre) throw new TypeError(`the model gave no hook_pre of layer ${layer}`);
  return hostValues(() => model.activate(layer, pre));
}

/** −log p(next token), added up over the batch. */
function summedLoss({ logits, ids }: StreamedBatch): number {
  if (!logits) throw new TypeError('the model gave no logits');
  return tf.tidy(() => nextTokenLosses(logits, ids).sum().dataSync<'float32'>()[0]);
}

function measureLayer(
  { model, report = silent }: MeasureOptions,
  layer: number,
  firing: NeuronFiring,
  sample: LayerSample,
): MeasuredLayer {
  const { neurons, d, layers } = model.config;
  const outputs = model.neuronOutputs(layer);
  const unembedding = model.foldedUnembedding();
  const rows = outputs.dataSync<'float32'>();
  const cett = new Cett(sample.layers[layer], rows, { neurons, d });
  try {
    const curve = cett.curve();
    report({ stage: `CETT of ${model.name}`, done: layer + 1, total: layers, unit: 'layers' });
    return {
      firing,
      curve,
      outputNorms: outputNorms(rows, neurons, d),
      promoted: promotedTokens(outputs, unembedding),
      summary: {
        layer,
        neurons,
        activationRatio: firing.activationRatio(),
        ratioAt: firing.ratioAt(),
        deadRate: firing.deadRate(),
        dynamicDeadRate: firing.dynamicDeadRate(),
        cett: cett.at(cett.thresholdForResting(1 - quotedRatio)),
        ratioAtCett: cett.solve(quotedCett, curve).activeRatio,
        frequencyHistogram: firing.frequencyHistogram(),
      },
    };
  } finally {
    cett.dispose();
    tf.dispose([outputs, unembedding]);
  }
}
