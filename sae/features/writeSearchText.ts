/** Writes the words of a capture's held-out text, for search. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Capture } from '../activations/openCapture.ts';
import { writeSafetensors } from '../formats/safetensors.ts';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import type { StoreLayout } from '../store/layout.ts';
import { wordsOfTokens } from '../tokens/words.ts';
import { searchTextVersion } from './searchText.ts';

const contextsAtOnce = 64;

/** The name of the file for a capture: its tokens, its model's and the rules for words decide what is in it. */
export function searchTextKey({ manifest }: Pick<Capture, 'manifest'>): string {
  const { tokens, model, contexts, heldOutContexts, contextLength } = manifest;
  const content = [searchTextVersion, tokens?.sha256, model.sha256, contexts, heldOutContexts, contextLength];
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

/**
 * Writes the file of a capture unless it is there; returns its key. `vocabulary` holds the text of each token, null where an id
 * has none.
 */
export async function writeSearchText(
  store: StoreLayout,
  capture: Capture,
  vocabulary: readonly (string | null)[],
  report: Report = silent,
  signal?: AbortSignal,
): Promise<string> {
  const key = searchTextKey(capture);
  const path = store.searchText(key);
  if (existsSync(path)) return key;
  const { contextLength, contexts, heldOutContexts } = capture.manifest;
  const firstContext = contexts - heldOutContexts;
  const tokens = capture.tokens.slice(firstContext * contextLength);
  const numbers = new Map<string, number>();
  const words: number[] = [];
  const first: number[] = [];
  const last: number[] = [];
  const add = (word: number, from: number, to: number) => {
    words.push(word);
    first.push(from);
    last.push(to);
  };
  for (let context = 0; context < heldOutContexts; context++) {
    const start = context * contextLength;
    const texts = Array.from(tokens.subarray(start, start + contextLength), (id) => vocabulary[id] ?? '');
    for (const { word, first: from, last: to } of wordsOfTokens(texts)) {
      let number = -1;
      if (word !== null) {
        number = numbers.get(word) ?? numbers.size;
        numbers.set(word, number);
      }
      add(number, start + from, start + to);
    }
    add(-1, start + contextLength - 1, start + contextLength - 1);
    if (context % contextsAtOnce === 0 || context === heldOutContexts - 1) {
      report({ stage: 'index: words', done: context + 1, total: heldOutContexts, unit: 'contexts' });
      await pause(signal, 'indexing');
    }
  }
  const sorted = [...numbers.keys()].sort();
  const place = new Int32Array(sorted.length);
  sorted.forEach((word, at) => (place[numbers.get(word) ?? 0] = at));
  const tensor = (data: Int32Array) => ({ shape: [data.length], data });
  await writeSafetensors(
    path,
    {
      tokens: tensor(tokens),
      words: tensor(Int32Array.from(words, (number) => (number < 0 ? -1 : place[number]))),
      first: tensor(Int32Array.from(first)),
      last: tensor(Int32Array.from(last)),
    },
    {
      version: searchTextVersion,
      firstContext: String(firstContext),
      contextLength: String(contextLength),
      words: sorted.join('\n'),
    },
  );
  return key;
}
