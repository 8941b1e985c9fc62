import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSafetensors, writeSafetensors } from '../sae/formats/safetensors.ts';
import { exampleTable } from '../sae/spec/tables/examples.ts';
import { queryParquet } from '../sae/store/parquet.ts';
import { storedTable } from '../sae/store/tableSql.ts';
import { loadTokenizer } from '../sae/tokens/tokenizer.ts';
import type { Tokenizer } from '../sae/tokens/tokenizer.ts';
import type { SearchRow } from './client.ts';
import { startTestServer, type TestServer } from './testServer.ts';

let fixture: TestServer;
let tokenizer: Tokenizer;
beforeAll(async () => {
  fixture = await startTestServer();
  tokenizer = loadTokenizer(fixture.store.model('fixture-relu'));
}, 120_000);
afterAll(() => fixture.stop());

const [run, seed] = ['fixture-topk', 1];
const find = (text: string, more: object = {}) => fixture.client.search.find.query({ text, ...more });

/**
 * What search must find, by another way: every example decoded by the tokenizer, and the phrase looked for in its characters with a
 * regular expression, one for each of the latents' distinct firings.
 */
async function expected(phrase: RegExp): Promise<Map<number, number>> {
  const rows = await queryParquet(
    `SELECT DISTINCT latent, context, position, tokens FROM ${storedTable(exampleTable)}`,
    { path: fixture.store.examples(run, seed) },
  );
  const counts = new Map<number, number>();
  for (const row of rows)
    if (phrase.test(tokenizer.decode(row.tokens as number[])))
      counts.set(Number(row.latent), (counts.get(Number(row.latent)) ?? 0) + 1);
  return counts;
}

async function everything(text: string): Promise<SearchRow[]> {
  const rows: SearchRow[] = [];
  for (let offset = 0; ; offset += 100) {
    const page = await find(text, { run, seed, offset, limit: 100 });
    rows.push(...page.rows);
    if (rows.length >= page.total) return rows;
  }
}

const marked = ({ match }: SearchRow) =>
  match!.example.matches.map(({ first, last }) =>
    tokenizer.decode(match!.example.tokens.slice(first, last + 1).map(({ id }) => id)),
  );

describe('words and phrases in examples', () => {
  // In the fixture's text most of these are spelled by several tokens, and the dash by parts of a character.
  const known = [
    ['Niagara', /\bniagara\b/i],
    ['magic  STREAM', /\bmagic stream\b/i],
    ['the sea', /\bthe[^\p{L}\p{N}]+sea\b/iu],
    ['of the', /\bof[^\p{L}\p{N}]+the\b/iu],
    ['stand miles', /\bstand—miles\b/i],
    ['shepherd’s eye', /\bshepherd.s eye\b/i],
    ['Nïâgárà', /\bniagara\b/i],
    // So close together that one example has several of them.
    ['the', /(?<![\p{L}\p{N}'’])the(?![\p{L}\p{N}'’])/iu],
  ] as const;
  test.each(known)('%s is found in exactly the examples that have it', async (text, pattern) => {
    const counts = await expected(pattern);
    expect(counts.size).toBeGreaterThan(0);
    const rows = (await everything(text)).filter(({ match }) => match !== null);
    expect(new Map(rows.map(({ latent, match }) => [latent, match!.examples]))).toEqual(counts);
    for (const row of rows) {
      expect(marked(row).length).toBeGreaterThan(0);
      for (const mark of marked(row)) expect(mark).toMatch(pattern);
    }
  });

  test('an index of an earlier version, whose examples are in the order of their latents, finds the same', async () => {
    const path = fixture.store.searchIndex(run, seed);
    const kept = await readFile(path);
    const before = await Promise.all(['the sea', 'Niagara', 'the'].map(everything));
    const file = await readSafetensors(path);
    const tensors = Object.fromEntries(
      file.names.map((name) => [name, { shape: file.shape(name), data: file.int32(name) }]),
    );
    const { data: start } = tensors.contextStart;
    const { data: examples } = tensors.examples;
    const sorted = examples.slice();
    for (let context = 0; context + 1 < start.length; context++) {
      const rows = Array.from({ length: start[context + 1] - start[context] }, (_, i) => start[context] + i);
      const latentOf = (row: number) => sorted[2 * row] & 0xffffff;
      rows
        .toSorted((a, b) => latentOf(a) - latentOf(b))
        .forEach((was, i) => examples.set(sorted.subarray(2 * was, 2 * was + 2), 2 * (start[context] + i)));
    }
    expect(examples).not.toEqual(sorted);
    await writeSafetensors(path, tensors, file.metadata);
    const after = await Promise.all(['the sea', 'Niagara', 'the'].map(everything));
    await writeFile(path, kept);
    // Of examples that show a match equally well, either may stand for it.
    const counted = (rows: SearchRow[][]) =>
      rows.map((of) =>
        of.map(({ latent, match }) => [latent, match?.examples, match?.peaks, match?.example.strength]),
      );
    expect(counted(after)).toEqual(counted(before));
  });

  test('those come first that are strongest on the words themselves', async () => {
    const rows = await everything('sea');
    const order = rows.map(({ match }) => [match?.peaks ?? 0, match?.examples ?? 0]);
    expect(order).toEqual(order.toSorted((a, b) => b[0] - a[0] || b[1] - a[1]));
    expect(rows[0].match!.peaks).toBeGreaterThan(0);
    const { tokens, position, start, matches } = rows[0].match!.example;
    expect(tokens[position - start].text.trim()).toBe('sea');
    expect(matches.some(({ first, last }) => first <= position - start && position - start <= last)).toBe(
      true,
    );
  });

  test('every run and seed is searched, one of them on request', async () => {
    const all = await find('Niagara', { limit: 100 });
    expect(all.searched).toBe(6);
    expect([all.places, all.lookedAt]).toEqual([1, 1]);
    const one = await find('Niagara', { run, limit: 100 });
    expect(one.searched).toBe(3);
    expect(one.rows).toEqual(all.rows.filter((row) => row.run === run));
    expect(one.total).toBeLessThan(all.total);
    const pages = [await find('Niagara', { limit: 3 }), await find('Niagara', { offset: 3, limit: 4 })];
    expect(pages.flatMap(({ rows }) => rows)).toEqual(all.rows.slice(0, 7));
  });

  test('words in another order, or apart, are not the phrase', async () => {
    const { rows, places } = await find('sea the');
    expect(places).toBe(0);
    expect(rows.filter(({ match }) => match)).toEqual([]);
    expect(await expected(/\bstream magic\b/i)).toEqual(new Map());
    expect((await find('stream magic')).total).toBe(0);
  });

  test.each([
    "'; DROP TABLE labels; --",
    '%',
    '\\',
    '$parameter',
    '" OR 1=1',
    '../../etc/passwd',
    '\u0000',
    '(.*)+$',
    '🐳',
    '—',
  ])('what looks like a command, %j, is text that is not there', async (text) => {
    const { rows } = await find(text);
    expect(rows.filter(({ match }) => match)).toEqual([]);
    await expect(fixture.client.features.list.query({ run, seed, filter: { text } })).resolves.toMatchObject({
      searched: 'examples, tokens and labels',
    });
  });

  test('nothing, and more than a phrase, are refused', async () => {
    await expect(find('  ')).rejects.toThrow();
    await expect(find('x'.repeat(201))).rejects.toThrow();
    await expect(find('sea', { run: '../fixture-topk' })).rejects.toThrow();
    await expect(find('sea', { run: 'nobody' })).rejects.toThrow(/no run 'nobody'/);
  });
});

describe('tokens and labels', () => {
  test('a token that is the word leads to features that fire on it or promote it', async () => {
    const rows = await everything('sea');
    const { rows: all } = await fixture.client.features.list.query({
      run,
      seed,
      limit: 100,
      filter: { token: 'sea' },
    });
    expect(all.length).toBeGreaterThan(0);
    const byToken = rows.filter(({ firesOn, promotes }) => firesOn || promotes).map(({ latent }) => latent);
    // The token box finds parts of tokens too.
    for (const latent of byToken) expect(all.map((row) => row.latent)).toContain(latent);
    expect(byToken.length).toBeGreaterThan(0);
  });

  test('what is no word is found where it is a part of tokens', async () => {
    const { rows, total } = await find('ishmae');
    expect(rows.filter(({ match }) => match)).toEqual([]);
    expect(total).toBe(0);
    expect((await find('wate')).rows.some(({ firesOn, promotes }) => firesOn || promotes)).toBe(true);
  });

  test('a label is found by beginnings of its words, without accents, and comes first', async () => {
    await fixture.client.labels.set.mutate({ run, seed, latent: 7, label: 'Café tables by the sea' });
    for (const text of ['cafe tab', 'SEA café', 'sea']) {
      const { rows } = await find(text);
      expect(rows[0]).toMatchObject({ run, seed, latent: 7, byLabel: true, label: 'Café tables by the sea' });
    }
    expect((await find('able')).rows.filter(({ byLabel }) => byLabel)).toEqual([]);
    await fixture.client.labels.set.mutate({ run, seed, latent: 7, label: '' });
    expect((await find('cafe tab')).rows.filter(({ byLabel }) => byLabel)).toEqual([]);
  });
});

describe('the feature table’s box', () => {
  const list = (filter: object, more: object = {}) =>
    fixture.client.features.list.query({ run, seed, limit: 100, filter, ...more });

  test('finds examples, and shows the match beside each feature, together with the other filters', async () => {
    const counts = await expected(/\bmagic stream\b/i);
    const page = await list({ text: 'magic stream' });
    expect(page.searched).toBe('examples, tokens and labels');
    expect(page.total).toBe(counts.size);
    expect(new Map(page.rows.map(({ latent, match }) => [latent, match!.examples]))).toEqual(counts);
    const dense = await list({ text: 'magic stream', minDensity: 0.003 });
    expect(dense.rows.map(({ latent }) => latent)).toEqual(
      page.rows.filter(({ density }) => density >= 0.003).map(({ latent }) => latent),
    );
    expect(dense.total).toBeLessThan(page.total);
    const { searched, rows } = await list({});
    expect(searched).toBeNull();
    expect(rows.every(({ match }) => match === null)).toBe(true);
  });

  test('finds whatever the token filter finds', async () => {
    const [byToken, byText] = [await list({ token: 'wat' }), await list({ text: 'wat' })];
    expect(byToken.total).toBeGreaterThan(0);
    expect(byText.rows.map(({ latent }) => latent)).toEqual(byToken.rows.map(({ latent }) => latent));
  });

  test('a dictionary without a search index is searched by tokens and labels, and said to be missing', async () => {
    const path = fixture.store.searchIndex(run, 0);
    const bytes = await readFile(path);
    const before = await list({ text: 'wat' }, { seed: 0 });
    await fixture.client.labels.set.mutate({ run, seed: 0, latent: 3, label: 'Niagara' });
    for (const damage of [() => truncate(path, 1000), () => rm(path)]) {
      await damage();
      const page = await find('Niagara', { run });
      expect(page.missing).toEqual([{ run, seed: 0 }]);
      expect(page.searched).toBe(2);
      expect(page.rows.filter((row) => row.seed === 0)).toMatchObject([
        { latent: 3, byLabel: true, match: null },
      ]);
      const after = await list({ text: 'wat' }, { seed: 0 });
      expect(after.searched).toBe('tokens and labels');
      expect(after.rows.map(({ latent }) => latent)).toEqual(before.rows.map(({ latent }) => latent));
      expect((await list({ text: 'niagara' }, { seed: 0 })).rows.map(({ latent }) => latent)).toEqual([3]);
    }
    expect(fixture.log.join('\n')).toContain('search.safetensors');
    await writeFile(path, bytes);
    expect((await find('Niagara', { run })).missing).toEqual([]);
    await fixture.client.labels.set.mutate({ run, seed: 0, latent: 3, label: '' });
  });
});
