/** A comparison made in parts has, to the byte, the files of one that one process makes, by both solvers. */
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { madeFiles } from '../fixtures/madeFiles.ts';
import { capture } from '../activations/capture.ts';
import { writeDictionary } from '../autoencoders/dictionaryFile.ts';
import { startBackend } from '../backends/startBackend.ts';
import { exampleConfig } from '../fixtures/exampleConfig.ts';
import { toyLanguageModel } from '../fixtures/toyLanguageModel.ts';
import { Random } from '../numerics/random.ts';
import { runKind } from '../spec/manifests/run.ts';
import { StoreLayout } from '../store/layout.ts';
import { writeManifest } from '../store/writeManifest.ts';
import { topPairs } from '../ops/topPairs.ts';
import { tie } from '../ops/topScores.ts';
import { findCandidates, merge, pairsOf, transposed } from './candidates.ts';
import { compare, comparePart } from './compare.ts';
import { unitRows } from './directions.ts';
import { matchBlocks, matchDictionaries } from './matchDictionaries.ts';
import type { CompareOptions } from './openComparison.ts';

const hook = 'blocks.0.mlp.hook_post';
const d = 8;
let root: string;
let whole: StoreLayout;

beforeAll(async () => {
  await startBackend('native', { threads: 2 });
  root = await mkdtemp(join(tmpdir(), 'lazyscope-compare-parts-'));
  whole = new StoreLayout(join(root, 'whole'));
  const documents = Array.from(
    { length: 700 },
    (_, i) =>
    Array.from({ length: 23 }, (__, j) => String.fromCharCode(97 + ((i * i * 7 + j * j * 5 + i * j) % 26))).join(''), // prettier-ignore
  );
  const text = { source: 'letters', documents, text: documents.join('\n\n'), sha256: 'a'.repeat(64) };
  await capture({ store: whole, name: 'toy', model: toyLanguageModel(), text, hooks: [hook], contextLength: 16, heldOutFraction: 0.3 }); // prettier-ignore
  for (const [seed, latents] of [700, 600].entries()) await makeRun(seed, latents);
  await cp(whole.root, join(root, 'parts'), { recursive: true });
  await compare(options(whole));
}, 120_000);
afterAll(() => rm(root, { recursive: true }));

async function makeRun(seed: number, latents: number): Promise<void> {
  const random = Random.fromSeed(seed, 'parts');
  const name = `run-${seed}`;
  const k = 7;
  await writeDictionary(
    whole.dictionary(name, 0),
    { wEnc: random.normals(latents * d), bEnc: random.normals(latents), wDec: random.normals(latents * d), bDec: random.normals(d), threshold: null },
    { architecture: 'topk', hook, model: 'toy', run: name, seed: 0, scale: 1, k },
  ); // prettier-ignore
  await writeManifest(whole.runManifest(name), runKind, {
    version: 1, name, createdAt: 'now', finishedAt: 'now', status: 'complete', d, scale: 1,
    config: { ...exampleConfig('topk'), capture: 'toy', hook, width: latents, k },
    environment: { lazyscope: '0', node: '0', platform: 'test', cpu: 'test', backend: 'native', threads: 1 },
    step: 1, totalSteps: 1, seconds: 1, tokensPerSecond: 1,
  }); // prettier-ignore
}

const options = (store: StoreLayout): CompareOptions => ({
  store,
  name: 'both',
  a: { run: 'run-0', seed: 0 },
  b: { run: 'run-1', seed: 0 },
  threshold: 0.6,
  maxTokens: 4000,
});

test.each([1, 2, 3, 5])('in %d parts', async (of) => {
  const store = new StoreLayout(join(root, 'parts'));
  const done = { blocks: 0, made: 0 };
  for (let number = of; number >= 1; number--) {
    const { blocks, made } = await comparePart(options(store), { number, of });
    done.blocks += blocks;
    done.made += made;
  }
  // Two of 512 rows for each side, four of 1,024 tokens, and both laws of chance.
  expect(done).toEqual({ blocks: 2 * 2 + 4 + 2, made: 10 });
  await compare(options(store));
  expect(existsSync(store.parts())).toBe(false);
  const [made, expected] = await Promise.all([store, whole].map((one) => madeFiles(one.root)));
  expect(made).toEqual(expected);
  await rm(store.comparison('both'), { recursive: true });
});

test('without the laws of chance where they are not asked for', async () => {
  const store = new StoreLayout(join(root, 'parts'));
  const without = { ...options(store), nulls: null };
  expect(await comparePart(without, { number: 1, of: 1 })).toEqual({ blocks: 8, made: 8 });
  expect(await comparePart(without, { number: 1, of: 2 })).toEqual({ blocks: 4, made: 0 });
  await rm(store.parts(), { recursive: true });
});

test.each([
  [5000, 5300],
  [5300, 5000],
])(
  'wide dictionaries, %d latents with %d, by the best pairs of blocks of rows',
  async (a, b) => {
    const dictionary = (latents: number, seed: number) => {
      const random = Random.fromSeed(seed, 'wide');
      return { latents, d: 16, wEnc: random.normals(latents * 16), wDec: random.normals(latents * 16) };
    };
    const [left, right] = [dictionary(a, 1), dictionary(b, 2)];
    // Where latents are the same in both, scores tie.
    left.wDec.copyWithin(16 * 4500, 0, 16 * 60);
    right.wDec.set(left.wDec.subarray(0, 16 * 90));
    const blocks = [...matchBlocks(left, right, { signal: undefined })];
    expect(blocks.map(({ name }) => name)).toEqual(['encoder-pairs-0', 'encoder-pairs-4096', 'decoder-pairs-0', 'decoder-pairs-4096']); // prettier-ignore
    const made = new Map<string, unknown>();
    for (const block of blocks.toReversed()) made.set(block.name, await block.make());
    const read: string[] = [];
    const folder = {
      read: <Arrays>({ name }: { name: string }) => {
        read.push(name);
        return made.get(name) as Arrays;
      },
    };
    expect(matchDictionaries(left, right, { folder, targetGap: 0.01 })).toEqual(
      matchDictionaries(left, right, { targetGap: 0.01 }),
    );
    expect(read).toHaveLength(4);
  },
  120_000,
);

test('the best pairs of blocks of rows are those of all rows', () => {
  const random = Random.fromSeed(4, 'pairs');
  const rows = (count: number) => unitRows({ rows: count, d: 24, data: random.normals(count * 24) }, 'x');
  const [a, b] = [rows(9000), rows(700)];
  const { byRow, byColumn } = topPairs({ a, b, perRow: 6, perColumn: 9 });
  const { candidates, rowLimit, columnLimit } = findCandidates(a, b, { perRow: 6, perColumn: 9 });
  expect(candidates).toEqual(
    merge({ rows: 9000, columns: 700 }, [pairsOf(byRow), transposed(pairsOf(byColumn))]),
  );
  const limits = (bar: Float32Array) => bar.map((value) => value + 2 * tie);
  expect(rowLimit).toEqual(limits(byRow.bar));
  expect(columnLimit).toEqual(limits(byColumn.bar));
});
