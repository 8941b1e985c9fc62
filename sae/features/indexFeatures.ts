/** Makes the tables that the explorer shows: one row for each latent, the text on which it fires, and the neurons aligned with it. */
import { printExclusionRule, type ExclusionRule } from '../activations/exclusionRule.ts';
import type { Autoencoder } from '../autoencoders/autoencoder.ts';
import { decoderNorms, sharesOf } from '../evaluation/decoderShares.ts';
import { openDictionary, type OpenedDictionary } from '../evaluation/openDictionary.ts';
import { parseHookPoint, type HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { silent, type Report } from '../progress.ts';
import { BlockFolder, blockPath, blocksLeft, removeBlocks, type Block } from '../store/blocks.ts';
import { fileChecksum } from '../store/fileChecksum.ts';
import type { StoreLayout } from '../store/layout.ts';
import { writeParquet, type TableData } from '../store/parquet.ts';
import type { Part } from '../spec/part.ts';
import type { JointHook } from '../spec/jointHook.ts';
import type { Layer } from '../spec/layers.ts';
import { featureTable } from '../spec/tables/features.ts';
import { layerShareTable } from '../spec/tables/layerShares.ts';
import { loadingTable } from '../spec/tables/loadings.ts';
import { tf } from '../tensor/tf.ts';
import { collectFirings, firingBlocks } from './collectFirings.ts';
import { writeExamples } from './examplesTable.ts';
import { removeFeaturePages, writeFeaturePages } from './featurePages.ts';
import { firingStatistics, weightStatistics } from './latentStatistics.ts';
import { indexSearch } from './indexSearch.ts';
import { neighbourBlocks, neighbours } from './neighbours.ts';
import { neuronLoadingBlocks, neuronLoadings } from './neuronLoadings.ts';
import { tokenEffectBlocks, tokenEffects } from './tokenEffects.ts';

const effectTokens = 10;
const neighbourCount = 8;
const loadingCount = 8;
/** A page of one latent reads one group of rows. */
export const featureRowGroup = 2048;

/** Which dictionary to index, and on what. */
export interface IndexOptions {
  store: StoreLayout;
  run: string;
  seed: number;
  /** The model the capture was made with; null where it isn't known, and then effects on tokens and neurons are left out. */
  model: LanguageModel | null;
  /** Number of held-out tokens to index; all of them when absent. */
  maxTokens?: number;
  /** Most firings held in memory (see collectFirings.ts). */
  maxFirings?: number;
  /** Rows on which nothing counts as firing; by default those that training left out. */
  exclude?: ExclusionRule;
  report?: Report;
  /** Stops the indexing: each table is either the earlier one or whole. */
  signal?: AbortSignal;
}

/**
 * Decoder rows and the hook point that they are of, as the model has its activations. *Choice*: of a crosscoder the last of its hook points, from
 * which the way to the logits is shortest.
 */
function lastWritten(
  { wDec, latents, outputWidth, layers }: Autoencoder,
  output: HookPoint | JointHook,
): { wDec: Float32Array; hook: HookPoint } {
  const last = layers?.at(-1);
  if (!last) return { wDec, hook: parseHookPoint(output).name };
  const { width, scale } = last;
  const block = new Float32Array(latents * width);
  for (let i = 0; i < latents; i++)
    for (let j = 0; j < width; j++) block[i * width + j] = wDec[(i + 1) * outputWidth - width + j] / scale;
  return { wDec: block, hook: parseHookPoint(last.hook).name };
}

/** A row for each latent and layer. */
function layerShares(wDec: Float32Array, layers: readonly Layer[]): TableData<typeof layerShareTable> {
  const norms = decoderNorms(wDec, layers);
  return {
    latent: norms.flatMap((own, latent) => own.map(() => latent)),
    layer: norms.flatMap((own) => own.map((_, layer) => layer)),
    hook: norms.flatMap((own) => own.map((_, layer) => layers[layer].hook)),
    norm: norms.flat(),
    share: norms.flatMap(sharesOf),
  };
}

interface Work {
  opened: OpenedDictionary;
  firings: Parameters<typeof collectFirings>[0];
  effects: Parameters<typeof tokenEffects>[0];
  loadings: Parameters<typeof neuronLoadings>[0];
  near: Parameters<typeof neighbours>[0];
}

/** What each step of the index is given. */
async function openWork(options: IndexOptions): Promise<Work> {
  const { store, run, seed, model, maxTokens, maxFirings, report = silent, signal } = options;
  const opened = await openDictionary(store, run, seed, model, options.exclude, 'as read');
  const { capture, rows, hook, output, autoencoder } = opened;
  const { latents, wDec } = autoencoder;
  const common = { latents, report, signal };
  const written = { ...lastWritten(autoencoder, output), model, ...common };
  return {
    opened,
    firings: { capture, hook, autoencoder, excluded: rows.excludedHeldOut, maxTokens, maxFirings, report, signal }, // prettier-ignore
    effects: { ...written, count: effectTokens },
    loadings: { ...written, count: loadingCount },
    near: { wDec, count: neighbourCount, ...common },
  };
}

/** Everything that the blocks of an index depend on. */
async function factsOf({ store, run, seed, maxTokens }: IndexOptions, { opened }: Work) {
  const { capture, rows, hook } = opened;
  const { manifest } = capture;
  return {
    version: 1,
    dictionary: await fileChecksum(store.dictionary(run, seed)),
    capture: [manifest.tokens?.sha256, manifest.model.sha256, manifest.contextLength, manifest.firstPosition, manifest.heldOutContexts],
    activations: manifest.hooks.map(({ shards }) => shards.map(({ sha256 }) => sha256)),
    hook,
    rule: printExclusionRule(rows.rule),
    maxTokens: maxTokens ?? null,
    backend: tf.getBackend(),
  }; // prettier-ignore
}

/**
 * Does one part of what `indexFeatures` does of the same options, which takes it from where this leaves it: firings on some of the rows,
 * and effects on tokens, neurons and neighbours of some of the latents. Gives the number of its blocks, and of those that were not there yet.
 */
export async function indexPart(
  options: IndexOptions,
  part: Part,
): Promise<{ blocks: number; made: number }> {
  const { store, report, signal } = options;
  const work = await openWork({ ...options, report: silent });
  const latents: { blocks: Block[]; dispose(): void }[] = [
    tokenEffectBlocks(work.effects),
    neuronLoadingBlocks(work.loadings),
    neighbourBlocks(work.near),
  ];
  try {
    const folder = await BlockFolder.open(blockPath(store, 'index', await factsOf(options, work)));
    const blocks: Block[] = [...firingBlocks(work.firings), ...latents.flatMap((one) => one.blocks)];
    return await folder.make(blocks, part, { report, signal });
  } finally {
    for (const one of latents) one.dispose();
    work.opened.dispose();
  }
}

/**
 * Writes seed-<n>/features.parquet, examples.parquet, loadings.parquet, layers.parquet (of crosscoders), pages.safetensors and search.safetensors. Returns the number of latents and of held-out tokens
 * covered, which is fewer than there are when their firings would not fit in memory. What `indexPart` has left is taken from there. Throws as `openDictionary` does.
 */
export async function indexFeatures(options: IndexOptions): Promise<{ features: number; tokens: number }> {
  const { store, run, seed, model, report = silent, signal } = options;
  const work = await openWork(options);
  const { capture, autoencoder, dispose } = work.opened;
  try {
    const { latents, wDec, bEnc } = autoencoder;
    const folder = await blocksLeft(store, 'index', () => factsOf(options, work));
    const firings = await collectFirings({ ...work.firings, folder });
    const statistics = firingStatistics(capture, firings);
    await removeFeaturePages(store, run, seed);
    await writeExamples(store.examples(run, seed), capture, firings, report, signal);
    await writeParquet(
      store.loadings(run, seed),
      loadingTable,
      await neuronLoadings({ ...work.loadings, folder }),
    );
    if (autoencoder.layers)
      await writeParquet(
        store.layerShares(run, seed),
        layerShareTable,
        layerShares(wDec, autoencoder.layers),
      );
    await writeParquet(
      store.features(run, seed),
      featureTable,
      {
        latent: Int32Array.from({ length: latents }, (_, i) => i),
        density: statistics.firings.map((count) => count / firings.tokens),
        dead: Array.from(statistics.firings, (count) => count === 0),
        biasEncoder: bEnc,
        ...statistics,
        ...weightStatistics(autoencoder),
        ...(await tokenEffects({ ...work.effects, folder })),
        ...(await neighbours({ ...work.near, folder })),
      },
      { rowGroupSize: featureRowGroup },
    );
    await writeFeaturePages({ store, run, seed, report, signal });
    await indexSearch({ store, run, seed, capture, tokenizer: model?.tokenizer ?? null, report, signal });
    if (folder) await removeBlocks(folder.path);
    return { features: latents, tokens: firings.tokens };
  } finally {
    dispose();
  }
}
