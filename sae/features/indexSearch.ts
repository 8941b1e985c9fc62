/** Makes what search reads of one dictionary: the words of its text, unless another dictionary's index made them, and its own index. */
import { existsSync } from 'node:fs';
import type { Capture } from '../activations/openCapture.ts';
import type { Report } from '../progress.ts';
import type { StoreLayout } from '../store/layout.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { readVocabulary, vocabularyOf } from '../tokens/vocabulary.ts';
import { writeSearchIndex } from './writeSearchIndex.ts';
import { writeSearchText } from './writeSearchText.ts';

export interface IndexSearchOptions {
  store: StoreLayout;
  run: string;
  seed: number;
  capture: Capture;
  /** Of the capture's model; its tokens are read from the store's vocabulary where that has them. Null where the model isn't known: no word is found then. */
  tokenizer: Tokenizer | (() => Tokenizer) | null;
  report?: Report;
  signal?: AbortSignal | undefined;
}

/** Writes seed-<n>/search.safetensors of a dictionary with a feature index. Throws as `writeSearchIndex` does. */
export async function indexSearch(options: IndexSearchOptions): Promise<void> {
  const { store, capture, tokenizer, report, signal } = options;
  const stored = store.vocabulary(capture.manifest.model.sha256);
  const vocabulary = () =>
    tokenizer === null
      ? []
      : existsSync(stored)
        ? readVocabulary(stored)
        : vocabularyOf(typeof tokenizer === 'function' ? tokenizer() : tokenizer);
  const text = await writeSearchText(store, capture, vocabulary(), report, signal);
  await writeSearchIndex({ ...options, text });
}
