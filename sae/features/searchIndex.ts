/**
 * runs/<run>/seed-<n>/search.safetensors: which of a dictionary's examples cover which part of the text, and which latents have a
 * token among those they promote and fire on.
 *
 * A phrase is looked up in the words of the text once for all dictionaries (searchText.ts), and every place of it leads to the
 * examples of its context. Tensors, all I32:
 *
 * - `contextStart` [contexts + 1] and `examples` [examples, 2]: the examples of context c are rows contextStart[c] … contextStart[c + 1] − 1.
 *   The first number is latent + 2²⁴ × strength, where strength, 0 to 127, is the activation at the peak as a share of the latent's
 *   largest. The second is position + 2²⁰ × before + 2²⁶ × after: where the peak is in its context, and how many tokens are
 *   shown before and after it. A firing that is chosen for two bands is one example. The rows of a context are sorted by position; earlier
 *   versions left them as they came, and then they are sorted when they are read.
 * - `tokenStart` [tokens + 1] and `tokenLatents`: of each token the latents that have it, each as 2 × latent, plus 1 where the latent
 *   fires on the token rather than promoting it.
 * - `firesOn` [latents, 5]: the tokens on which each latent is active most often, −1 where there are fewer.
 */
import type { Capture } from '../activations/openCapture.ts';
import { LazyscopeError } from '../errors.ts';
import { readSafetensors, writeSafetensors } from '../formats/safetensors.ts';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import { exampleTable } from '../spec/tables/examples.ts';
import { featureTable } from '../spec/tables/features.ts';
import { someOf } from '../spec/tables/table.ts';
import type { StoreLayout } from '../store/layout.ts';
import { queryParquet } from '../store/parquet.ts';
import { queryRows } from '../store/queryRows.ts';
import { columnList, storedTable } from '../store/tableSql.ts';

const version = '1';
const latentsAtOnce = 1024;
/** What the packed numbers hold. */
export const mostLatents = 1 << 24;
export const mostPositions = 1 << 20;
export const mostBeside = 1 << 6;
export const fullStrength = 127;
export const shownTokens = 5;

const firedOn = someOf(featureTable, 'latent', 'promotedTokens', 'topTokens');

/** An example as the index holds it. */
export interface IndexedExample {
  latent: number;
  /** 0 to 127: the activation at the peak as a share of the latent's largest. */
  strength: number;
  /** Of the peak in its context. */
  position: number;
  before: number;
  after: number;
}

export interface SearchIndexOptions {
  store: StoreLayout;
  run: string;
  seed: number;
  /** The capture that the dictionary was indexed on, whose text has the name `text` among the store's. */
  capture: Capture;
  text: string;
  report?: Report;
  signal?: AbortSignal | undefined;
}

/**
 * Writes search.safetensors of an indexed dictionary. Throws 'not_found' when it isn't indexed, 'corrupt' when its examples are not of
 * the capture's text.
 */
export async function writeSearchIndex(options: SearchIndexOptions): Promise<void> {
  const { store, run, seed, text } = options;
  const features = await queryRows(
    firedOn,
    `SELECT ${columnList(firedOn)} FROM ${storedTable(featureTable)} ORDER BY latent`,
    { path: store.features(run, seed) },
  );
  if (features.length > mostLatents)
    throw new LazyscopeError('bad_input', `Search takes dictionaries of at most ${mostLatents} latents.`);
  const { contextStart, examples } = await examplesByContext(options, features.length);
  const { tokenStart, tokenLatents } = latentsByToken(features);
  const firesOn = new Int32Array(features.length * shownTokens).fill(-1);
  features.forEach(({ topTokens }, at) => firesOn.set(topTokens.slice(0, shownTokens), at * shownTokens));
  const list = (data: Int32Array) => ({ shape: [data.length], data });
  await writeSafetensors(
    store.searchIndex(run, seed),
    {
      contextStart: list(contextStart),
      examples: { shape: [examples.length / 2, 2], data: examples },
      tokenStart: list(tokenStart),
      tokenLatents: list(tokenLatents),
      firesOn: { shape: [features.length, shownTokens], data: firesOn },
    },
    { version, text, latents: String(features.length) },
  );
}

async function examplesByContext(
  { store, run, seed, capture, report = silent, signal }: SearchIndexOptions,
  latents: number,
): Promise<{ contextStart: Int32Array; examples: Int32Array }> {
  const path = store.examples(run, seed);
  const { contextLength, contexts, heldOutContexts } = capture.manifest;
  const firstContext = contexts - heldOutContexts;
  const other = (why: string) =>
    new LazyscopeError(
      'corrupt',
      `'${path}' is not of the held-out text of capture '${capture.manifest.name}' (${why}): run 'lazyscope index ${run}'.`,
    );
  const found = { context: [] as number[], who: [] as number[], where: [] as number[] };
  for (let from = 0; from < latents; from += latentsAtOnce) {
    const to = Math.min(from + latentsAtOnce, latents);
    const rows = await queryParquet(
      `SELECT latent, context, position, start, activation, len(tokens) AS shown,
         max(activation) OVER (PARTITION BY latent) AS largest, CASE WHEN rank = 0 THEN tokens END AS tokens
       FROM ${storedTable(exampleTable)} WHERE latent >= $from AND latent < $to
       QUALIFY row_number() OVER (PARTITION BY latent, context, position ORDER BY rank) = 1
       ORDER BY latent, activation DESC`,
      { path, from, to },
    );
    for (const row of rows) {
      const [latent, context, position, start] = [row.latent, row.context, row.position, row.start].map(
        Number,
      );
      const before = position - start;
      const after = Number(row.shown) - before - 1;
      const at = context - firstContext;
      if (at < 0 || at >= heldOutContexts || position >= contextLength)
        throw other(`context ${context}, position ${position}`);
      if (before < 0 || before >= mostBeside || after < 0 || after >= mostBeside || position >= mostPositions)
        throw other(`an example of ${Number(row.shown)} tokens around position ${position}`);
      if (Array.isArray(row.tokens)) {
        const place = context * contextLength + start;
        if (row.tokens.some((token, i) => token !== capture.tokens[place + i]))
          throw other(`other tokens in context ${context}`);
      }
      const share = Number(row.largest) > 0 ? Number(row.activation) / Number(row.largest) : 0;
      found.context.push(at);
      found.who.push(latent + mostLatents * Math.round(fullStrength * Math.min(1, Math.max(0, share))));
      found.where.push((position + mostPositions * before + mostPositions * mostBeside * after) | 0);
    }
    report({ stage: 'index: search', done: to, total: latents, unit: 'latents' });
    await pause(signal, 'indexing');
  }
  const contextStart = startsOf(found.context, heldOutContexts);
  const next = contextStart.slice();
  const examples = new Int32Array(2 * found.context.length);
  found.context.forEach((context, i) => {
    const at = 2 * next[context]++;
    examples[at] = found.who[i];
    examples[at + 1] = found.where[i];
  });
  sortByPosition(contextStart, examples);
  return { contextStart, examples };
}

/** Sorts the examples of each context by the position of their peak, those of one position as they came. */
function sortByPosition(contextStart: Int32Array, examples: Int32Array): void {
  const unsorted = examples.slice();
  const positionAt = (row: number) => unsorted[2 * row + 1] & (mostPositions - 1);
  for (let context = 0; context + 1 < contextStart.length; context++) {
    const [from, to] = [contextStart[context], contextStart[context + 1]];
    let positions = 0;
    for (let row = from; row < to; row++) positions = Math.max(positions, positionAt(row) + 1);
    // Where the next example of each position goes, by counting those of the positions before it.
    const next = new Int32Array(positions + 1);
    for (let row = from; row < to; row++) next[positionAt(row) + 1]++;
    next[0] = from;
    for (let position = 0; position < positions; position++) next[position + 1] += next[position];
    for (let row = from; row < to; row++) {
      const at = 2 * next[positionAt(row)]++;
      examples[at] = unsorted[2 * row];
      examples[at + 1] = unsorted[2 * row + 1];
    }
  }
}

/** Whether the examples of each context are sorted by position, and how many tokens any of them shows before and after its peak, at most. */
function surveyed({ contextStart, examples }: Pick<SearchIndex, 'contextStart' | 'examples'>) {
  let sorted = true;
  let farthestBefore = 0;
  let farthestAfter = 0;
  for (let context = 0; context + 1 < contextStart.length; context++) {
    let earlier = 0;
    for (let row = contextStart[context]; row < contextStart[context + 1]; row++) {
      const where = examples[2 * row + 1];
      const position = where & (mostPositions - 1);
      const before = (where >>> 20) & (mostBeside - 1);
      const after = where >>> 26;
      if (position < earlier) sorted = false;
      earlier = position;
      if (before > farthestBefore) farthestBefore = before;
      if (after > farthestAfter) farthestAfter = after;
    }
  }
  return { sorted, farthestBefore, farthestAfter };
}

function latentsByToken(
  features: readonly { latent: number; promotedTokens: number[]; topTokens: number[] }[],
): { tokenStart: Int32Array; tokenLatents: Int32Array } {
  const tokens: number[] = [];
  const who: number[] = [];
  for (const { latent, promotedTokens, topTokens } of features) {
    for (const token of promotedTokens) {
      tokens.push(token);
      who.push(2 * latent);
    }
    for (const token of topTokens) {
      tokens.push(token);
      who.push(2 * latent + 1);
    }
  }
  const tokenStart = startsOf(tokens, tokens.reduce((most, token) => Math.max(most, token), -1) + 1);
  const next = tokenStart.slice();
  const tokenLatents = new Int32Array(tokens.length);
  tokens.forEach((token, i) => (tokenLatents[next[token]++] = who[i]));
  return { tokenStart, tokenLatents };
}

/** Where the items of each group begin when they are sorted by group [groups + 1]. */
function startsOf(groupOf: readonly number[], groups: number): Int32Array {
  const start = new Int32Array(groups + 1);
  for (const group of groupOf) start[group + 1]++;
  for (let group = 0; group < groups; group++) start[group + 1] += start[group];
  return start;
}

/** A dictionary's search index in memory. */
export interface SearchIndex {
  /** The key of the text that its examples are of. */
  text: string;
  latents: number;
  contextStart: Int32Array;
  /** [examples, 2], packed as the opening of this file says, and sorted by position in each context. */
  examples: Int32Array;
  /** The most tokens that any example shows before its peak, and after it. */
  farthestBefore: number;
  farthestAfter: number;
  tokenStart: Int32Array;
  tokenLatents: Int32Array;
  /** [latents, 5] */
  firesOn: Int32Array;
  bytes: number;
}

/** Throws 'not_found' and 'corrupt' as `readSafetensors` does, and 'corrupt' for a file of another kind. */
export async function readSearchIndex(path: string): Promise<SearchIndex> {
  const file = await readSafetensors(path);
  const latents = Number(file.metadata['latents']);
  const read = (name: string) => file.int32(name);
  const index = {
    text: file.metadata['text'] ?? '',
    latents,
    contextStart: read('contextStart'),
    examples: read('examples'),
    tokenStart: read('tokenStart'),
    tokenLatents: read('tokenLatents'),
    firesOn: read('firesOn'),
  };
  const { contextStart, examples, tokenStart, tokenLatents, firesOn } = index;
  const ends = (start: Int32Array, items: number) => start[0] === 0 && start.at(-1) === items;
  if (
    file.metadata['version'] !== version ||
    firesOn.length !== latents * shownTokens ||
    !ends(contextStart, examples.length / 2) ||
    !ends(tokenStart, tokenLatents.length)
  )
    throw new LazyscopeError(
      'corrupt',
      `'${path}' is not a search index that can be read: run 'lazyscope index RUN --search-only'.`,
    );
  const bytes = 4 * [contextStart, examples, tokenStart, tokenLatents, firesOn].reduce((sum, { length }) => sum + length, 0); // prettier-ignore
  const { sorted, ...farthest } = surveyed(index);
  if (!sorted) sortByPosition(contextStart, examples);
  return { ...index, ...farthest, bytes };
}

export function exampleAt({ examples }: Pick<SearchIndex, 'examples'>, row: number): IndexedExample {
  const [who, where] = [examples[2 * row], examples[2 * row + 1]];
  return {
    latent: who & (mostLatents - 1),
    strength: who >>> 24,
    position: where & (mostPositions - 1),
    before: (where >>> 20) & (mostBeside - 1),
    after: where >>> 26,
  };
}
