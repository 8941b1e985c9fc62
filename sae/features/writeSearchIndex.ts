/** Writes the search index of a dictionary out of its tables of features and examples. */
import type { Capture } from '../activations/openCapture.ts';
import { LazyscopeError } from '../errors.ts';
import { writeSafetensors } from '../formats/safetensors.ts';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import { exampleTable } from '../spec/tables/examples.ts';
import { featureTable } from '../spec/tables/features.ts';
import { someOf } from '../spec/tables/table.ts';
import type { StoreLayout } from '../store/layout.ts';
import { queryParquet } from '../store/parquet.ts';
import { queryRows } from '../store/queryRows.ts';
import { columnList, storedTable } from '../store/tableSql.ts';
import {
  fullStrength,
  mostBeside,
  mostLatents,
  mostPositions,
  searchIndexVersion,
  shownTokens,
  sortByPosition,
} from './searchIndex.ts';

const latentsAtOnce = 1024;

const firedOn = someOf(featureTable, 'latent', 'promotedTokens', 'topTokens');

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
    { version: searchIndexVersion, text, latents: String(features.length) },
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
