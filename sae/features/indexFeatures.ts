/** Makes the tables that the explorer shows: one row for each latent, the text on which it fires, and the neurons aligned with it. */
import type { ExclusionRule } from '../activations/exclusionRule.ts';
import { openDictionary } from '../evaluation/openDictionary.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { silent, type Report } from '../progress.ts';
import type { StoreLayout } from '../store/layout.ts';
import { writeParquet } from '../store/parquet.ts';
import { featureTable } from '../spec/tables/features.ts';
import { loadingTable } from '../spec/tables/loadings.ts';
import { collectFirings } from './collectFirings.ts';
import { writeExamples } from './examplesTable.ts';
import { removeFeaturePages, writeFeaturePages } from './featurePages.ts';
import { firingStatistics, weightStatistics } from './latentStatistics.ts';
import { indexSearch } from './indexSearch.ts';
import { neighbours } from './neighbours.ts';
import { neuronLoadings } from './neuronLoadings.ts';
import { tokenEffects } from './tokenEffects.ts';

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
 * Writes seed-<n>/features.parquet, examples.parquet, loadings.parquet, pages.safetensors and search.safetensors. Returns the number of latents and of held-out tokens
 * covered, which is fewer than there are when their firings would not fit in memory. Throws as `openDictionary` does.
 */
export async function indexFeatures(options: IndexOptions): Promise<{ features: number; tokens: number }> {
  const { store, run, seed, model, maxTokens, maxFirings, report = silent, signal } = options;
  const { capture, rows, hook, output, autoencoder, dispose } = await openDictionary(
    store,
    run,
    seed,
    model,
    options.exclude,
  );
  try {
    const { latents, wDec, bEnc } = autoencoder;
    const firings = await collectFirings({
      capture,
      hook,
      autoencoder,
      excluded: rows.excludedHeldOut,
      maxTokens,
      maxFirings,
      report,
      signal,
    });
    const statistics = firingStatistics(capture, firings);
    await removeFeaturePages(store, run, seed);
    await writeExamples(store.examples(run, seed), capture, firings, report, signal);
    await writeParquet(
      store.loadings(run, seed),
      loadingTable,
      await neuronLoadings({ wDec, latents, hook: output, model, count: loadingCount, report, signal }),
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
        ...(await tokenEffects({ wDec, latents, hook: output, model, count: effectTokens, report, signal })),
        ...(await neighbours(wDec, latents, neighbourCount, report, signal)),
      },
      { rowGroupSize: featureRowGroup },
    );
    await writeFeaturePages({ store, run, seed, report, signal });
    await indexSearch({ store, run, seed, capture, tokenizer: model?.tokenizer ?? null, report, signal });
    return { features: latents, tokens: firings.tokens };
  } finally {
    dispose();
  }
}
