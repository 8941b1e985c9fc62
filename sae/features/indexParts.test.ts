/** An index made in parts has, to the byte, the files of one that one process makes. */
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { madeFiles } from '../fixtures/madeFiles.ts';
import { capture } from '../activations/capture.ts';
import { startBackend } from '../backends/startBackend.ts';
import { writeDictionary } from '../autoencoders/dictionaryFile.ts';
import { exampleConfig } from '../fixtures/exampleConfig.ts';
import { demoModel } from '../fixtures/inferenceStore.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { loadLanguageModel } from '../models/loadLanguageModel.ts';
import { Random } from '../numerics/random.ts';
import { runKind } from '../spec/manifests/run.ts';
import { StoreLayout } from '../store/layout.ts';
import { writeManifest } from '../store/writeManifest.ts';
import { tf } from '../tensor/tf.ts';
import { readText } from '../tokens/readText.ts';
import { indexFeatures, indexPart, type IndexOptions } from './indexFeatures.ts';

const hook = 'blocks.1.hook_resid_post';
/** Neighbours are looked for in three blocks of latents, the last of 8. */
const latents = 4100;
let root: string;
let model: LanguageModel;
let whole: StoreLayout;
let d: number;

/** Held-out rows in two blocks, the last of fewer. */
beforeAll(async () => {
  await startBackend('native', { threads: 2 });
  root = await mkdtemp(join(tmpdir(), 'lazyscope-index-parts-'));
  whole = new StoreLayout(join(root, 'whole'));
  model = await loadLanguageModel(demoModel);
  d = model.width(hook);
  await capture({
    store: whole, name: 'words', model, text: await readText('dataset:moby-dick'), hooks: [hook],
    contextLength: 24, maxTokens: 24 * 400, heldOutFraction: 0.5,
  }); // prettier-ignore
  for (const architecture of ['topk', 'relu', 'jumprelu'] as const) await makeRun(architecture);
  await cp(whole.root, join(root, 'parts'), { recursive: true });
  for (const run of ['topk', 'relu', 'jumprelu']) await indexFeatures({ store: whole, run, seed: 0, model });
}, 120_000);
afterAll(() => rm(root, { recursive: true }));

async function makeRun(architecture: 'topk' | 'relu' | 'jumprelu'): Promise<void> {
  const random = Random.fromSeed(3, architecture);
  const k = architecture === 'topk' ? 9 : null;
  await writeDictionary(
    whole.dictionary(architecture, 0),
    {
      wEnc: random.normals(latents * d, 1 / Math.sqrt(d)),
      bEnc: random.normals(latents).map((value) => value - 4),
      wDec: random.normals(latents * d),
      bDec: random.normals(d),
      threshold: architecture === 'jumprelu' ? new Float32Array(latents).fill(3) : null,
    },
    { architecture, hook, model: 'demo', run: architecture, seed: 0, scale: 1, k },
  );
  const config = { ...exampleConfig(architecture), capture: 'words', hook, width: latents, ...(k && { k }) };
  await writeManifest(whole.runManifest(architecture), runKind, {
    version: 1, name: architecture, createdAt: 'now', finishedAt: 'now', status: 'complete', config, d, scale: 1,
    environment: { lazyscope: '0', node: '0', platform: 'test', cpu: 'test', backend: 'native', threads: 1 },
    step: 1, totalSteps: 1, seconds: 1, tokensPerSecond: 1, exclusion: { rule: 'position:3', rows: 0 },
  }); // prettier-ignore
}

const options = (store: StoreLayout, run: string): IndexOptions => ({ store, run, seed: 0, model });

test.each([
  ['topk', 1],
  ['topk', 2],
  ['topk', 3],
  ['topk', 5],
  ['relu', 3],
  ['jumprelu', 2],
])('%s in %d parts', async (run, of) => {
  const store = new StoreLayout(join(root, 'parts'));
  const before = tf.memory().numTensors;
  const done = { blocks: 0, made: 0 };
  for (let number = of; number >= 1; number--) {
    const { blocks, made } = await indexPart(options(store, run), { number, of });
    done.blocks += blocks;
    done.made += made;
  }
  // Two of rows, and of latents three for effects on tokens, one for neurons and three for neighbours.
  expect(done).toEqual({ blocks: 2 + 3 + 1 + 3, made: 9 });
  const [folder] = await readdir(store.parts());
  expect((await readdir(store.partsOf(folder))).length).toBe(done.blocks);
  expect(tf.memory().numTensors, 'no tensor is left behind').toBe(before);
  await indexFeatures(options(store, run));
  expect(existsSync(store.parts())).toBe(false);
  const [made, expected] = await Promise.all([store, whole].map((one) => madeFiles(one.runSeed(run, 0))));
  expect(Object.keys(expected)).toHaveLength(6);
  expect(made).toEqual(expected);
  await rm(join(store.runSeed(run, 0), 'features.parquet'));
});

test('one thread makes the same blocks as two, and a part that is repeated makes none', async () => {
  const store = new StoreLayout(join(root, 'parts'));
  await startBackend('native', { threads: 1 });
  const first = await indexPart(options(store, 'relu'), { number: 1, of: 2 });
  await startBackend('native', { threads: 2 });
  expect(await indexPart(options(store, 'relu'), { number: 1, of: 2 })).toEqual({ ...first, made: 0 });
  // The second part is missing, and is made by whoever puts them together.
  await indexFeatures(options(store, 'relu'));
  const [made, expected] = await Promise.all([store, whole].map((one) => madeFiles(one.runSeed('relu', 0))));
  expect(made).toEqual(expected);
});
